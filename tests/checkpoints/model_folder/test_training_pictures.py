import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.checkpoints.model_folder import training_pictures
from lexel.checkpoints.model_folder.folder import TRAINING_PICTURES, open_model_folder
from lexel.checkpoints.model_folder.training_pictures import TrainingPictures, read_training_pictures, union
from lexel.conversion import convert
from lexel.errors import ModelError
from lexel.loading import load

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=30)


def array(hashes: list[int]) -> np.ndarray:
    return np.array(hashes, np.uint64)


@given(st.lists(HASHES, max_size=4), HASHES)
def test_a_union_holds_exactly_what_its_parts_hold(parts, asked):
    found = union([TrainingPictures.of(array(part)) for part in parts])
    every = {one for part in parts for one in part}
    assert found.hashes.tolist() == sorted(every)
    assert found.pictures == len(every)
    wanted = asked + sorted(every)[:3]
    assert found.contains(array(wanted)).tolist() == [one in every for one in wanted]


@given(st.lists(HASHES, min_size=1, max_size=4), st.integers(1, 10))
def test_a_bounded_set_keeps_the_lowest_in_whatever_order_it_was_filled(parts, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_pictures, "MAX_HASHES", most)
        sets = [TrainingPictures.of(array(part)) for part in parts]
        forwards, backwards = union(sets), union(sets[::-1])
    every = sorted({one for part in parts for one in part})
    assert forwards.hashes.tolist() == backwards.hashes.tolist() == every[:most]
    assert forwards.limit == backwards.limit == (every[most] if len(every) > most else 2**64)
    assert forwards.recorded(array(every)).tolist() == every[:most]


def test_of_too_many_pictures_the_number_is_estimated(monkeypatch):
    monkeypatch.setattr(training_pictures, "MAX_HASHES", 1000)
    many = TrainingPictures.of(np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64))
    assert len(many) == 1000
    assert many.pictures == pytest.approx(20_000, rel=0.1)  # a standard deviation is 3 %


def test_a_set_is_read_back_as_it_was(tmp_path):
    whole = TrainingPictures(array([1, 5, 2**63 + 9]), limit=2**63 + 10)
    whole.save(tmp_path / "set", "f1a9")
    again = read_training_pictures(tmp_path / "set", "f1a9")
    assert (again.hashes.tolist(), again.limit) == (whole.hashes.tolist(), whole.limit)


def test_a_million_pictures_take_eight_megabytes(tmp_path):
    TrainingPictures(np.arange(1_000_000, dtype=np.uint64)).save(tmp_path / "set")
    assert (tmp_path / "set").stat().st_size == pytest.approx(8e6, abs=500)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-8], "cannot be read"),
        (lambda content: content[:-8] + bytes(8), "cannot be read"),  # not ascending
        (lambda content: content.replace(b'"format":"1"', b'"format":"9"'), "cannot be read"),
        (lambda content: content.replace(b'"weights":"f1a9"', b'"weights":"0000"'), "another model"),
        (lambda content: b"", "cannot be read"),
    ],
)
def test_a_damaged_set_is_refused_with_the_way_out(tmp_path, damage, reason):
    path = tmp_path / "set"
    TrainingPictures(array([1, 5, 9])).save(path, "f1a9")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ModelError, match=f"(?s){reason}.*or delete it"):
        read_training_pictures(path, "f1a9")


def test_a_trained_model_knows_its_pictures_however_it_is_loaded(tiny_model, tmp_path):
    known = load(tiny_model).training_pictures
    assert known is not None
    assert len(known) == 48
    resized = load(tiny_model, context_length=20).training_pictures
    assert resized is not None
    assert np.array_equal(resized.hashes, known.hashes)


def test_a_copy_of_the_model_keeps_the_set(tiny_model, tmp_path):
    copy = open_model_folder(convert(tiny_model, tmp_path / "copy")).training_pictures()
    assert copy is not None
    assert len(copy) == 48


def test_a_model_works_without_the_set_and_does_not_take_that_of_another(tiny_model, tmp_path, capsys):
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    TrainingPictures(array([1])).save(model / TRAINING_PICTURES, "0123456789ab")
    encoder = load(model)
    assert encoder.embed_texts(["a circle"]).shape[0] == 1
    assert encoder.training_pictures is None
    warning = capsys.readouterr().err
    assert warning.startswith("Warning: which pictures the model has learned from is not known.")
    assert "belongs to another model" in warning
    (model / TRAINING_PICTURES).unlink()
    assert load(model).training_pictures is None
