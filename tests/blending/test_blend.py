import json

import pytest
from perturbed import perturbed
from PIL import Image

from lexel.blending.blend import blend
from lexel.data.readers import read_source
from lexel.errors import UsageError
from lexel.loading import load


@pytest.fixture(scope="module")
def scenes():
    return read_source("scenes:24/val")


def test_a_blend_is_measured_drawn_chosen_and_written(tiny_model, tmp_path, scenes):
    perturbed(tiny_model, tmp_path / "a", seed=1, size=0.5)
    perturbed(tiny_model, tmp_path / "b", seed=2, size=0.5)
    found = blend(
        tiny_model, [tmp_path / "a", tmp_path / "b"], tmp_path / "out", own=scenes,
        guards=[read_source("scenes:16/test")], most_lost=2.0, templates="scene",
    )  # fmt: skip
    assert [round(point.weight, 1) for point in found.curve] == [n / 10 for n in range(11)]
    assert sum(found.shares.values()) == pytest.approx(1)
    assert all(lost <= 2.0 for lost in found.chosen.losses(found.curve[0]))
    assert json.loads((tmp_path / "out" / "blend.json").read_text())["weight"] == found.chosen.weight
    assert Image.open(tmp_path / "out" / "blend.png").width > 300
    assert "| scenes:24/val |" in (tmp_path / "out" / "README.md").read_text()
    assert load(tmp_path / "out").name == "out"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "out"]  # nothing is left over


def test_a_greedy_soup_leaves_out_what_makes_it_worse(tiny_model, tmp_path, scenes):
    from lexel.blending.curve import Measuring
    from lexel.blending.ingredients import Ingredient
    from lexel.blending.soup import soup_of
    from lexel.checkpoints.model_folder.folder import open_model_folder

    models = [
        Ingredient("good", open_model_folder(tiny_model)),
        Ingredient("bad", perturbed(tiny_model, tmp_path / "b")),
    ]
    values = {("good",): 0.9, ("bad",): 0.5, ("good", "bad"): 0.7}

    class Known(Measuring):
        def measure(self, mixture, sources):
            from types import SimpleNamespace

            value = values[tuple(model.name for model, _ in mixture.parts)]
            return [SimpleNamespace(metric=SimpleNamespace(value=value))]

    measuring = Known(scenes, (), "photo", tmp_path)
    assert [model.name for model, _ in soup_of(models[::-1], "greedy", measuring).parts] == ["good"]
    values["good", "bad"] = 0.95
    assert [model.name for model, _ in soup_of(models[::-1], "greedy", measuring).parts] == ["good", "bad"]
    assert [share for _, share in soup_of(models, "uniform", measuring).parts] == [0.5, 0.5]


def test_what_is_there_already_is_not_replaced(tiny_model, tmp_path, scenes):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").touch()
    with pytest.raises(UsageError, match="is no blend"):
        blend(tiny_model, [tiny_model], tmp_path / "out", own=scenes)
    with pytest.raises(UsageError, match="nothing to mix"):
        blend(tiny_model, [], tmp_path / "new", own=scenes)


def test_a_model_is_not_replaced_by_what_is_mixed_from_it(tiny_model, tmp_path, scenes):
    perturbed(tiny_model, tmp_path / "a", seed=1, size=0.5)
    with pytest.raises(UsageError, match="is no blend"):
        blend(tiny_model, [tmp_path / "a"], tmp_path / "a", own=scenes)
    (tmp_path / "a" / "blend.json").touch()
    with pytest.raises(UsageError, match="one of the models that are mixed"):
        blend(tiny_model, [tmp_path / "a"], tmp_path / "a", own=scenes)
