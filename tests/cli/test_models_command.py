import shutil

import pytest


@pytest.mark.parametrize(("source", "warned"), [("scenes:48/train", True), ("scenes:48/val", False)])
def test_calibrating_on_pictures_that_were_learned_from_is_warned_of(lexel, tiny_model, here, source, warned):
    model = shutil.copytree(tiny_model, here / "model")
    done = lexel("models", "calibrate", model, source, "--json")
    assert done.status == 0
    assert done.json["pairs"] == 48
    assert ("Warning: 48 of the 48 pictures are ones that the model has learned from" in done.err) == warned
