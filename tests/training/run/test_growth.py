import json

import numpy as np
import pytest
from colour_encoder import NAMES, ColourEncoder, painted

from lexel.training.run.growth import GROWTH, GROWTH_PAIRS, Growth, moments


def pairs():
    return [painted(f"{a}-{b}", a, b, captions=(f"{a} beside {b}",)) for a in NAMES for b in NAMES if a < b]


def open_growth(folder, start=0, held_out=None):
    return Growth.open(folder, 100, pairs() if held_out is None else held_out, "a {}", start)


@pytest.mark.parametrize("steps", [1, 2, 7, 100, 100_000])
def test_moments_go_from_the_beginning_to_the_end_and_lie_closer_together_at_first(steps):
    found = moments(steps)
    assert (found[0], found[-1]) == (0, steps)
    assert found == sorted(set(found))
    if steps > 100:
        assert found[1] - found[0] < found[-1] - found[-2]


def test_the_matrix_is_that_of_pictures_and_their_own_captions(tmp_path):
    growth = open_growth(tmp_path)
    growth.note(ColourEncoder(), 0, write=True)
    told = json.loads((tmp_path / GROWTH).read_text())
    assert told["steps"] == [0]
    assert len(set(told["captions"])) == len(told["pictures"]) == GROWTH_PAIRS
    [cosines] = np.array(told["cosines"])
    assert (cosines.argmax(axis=1) == np.arange(GROWTH_PAIRS)).all()
    expected = ColourEncoder().embed_texts(told["captions"])
    assert (
        np.abs(cosines - ColourEncoder().embed_images([image for image, _ in growth.pairs]) @ expected.T).max() < 1e-4
    )


def test_a_run_that_goes_on_keeps_what_was_noted_before_its_snapshot(tmp_path):
    growth = open_growth(tmp_path)
    due = [step for step in range(101) if growth.is_due(step)]
    for step in due[:5]:
        growth.note(ColourEncoder(), step, write=True)
    again = open_growth(tmp_path, start=due[3])
    assert again.content["steps"] == due[:4]
    assert not again.is_due(due[3])
    assert again.is_due(due[4])


def test_what_another_batch_has_left_is_not_gone_on_with(tmp_path):
    open_growth(tmp_path).note(ColourEncoder(), 0, write=True)
    assert open_growth(tmp_path, 5, held_out=pairs()[::-1]).content["steps"] == []


@pytest.mark.parametrize(
    "damage", ["{", "[]", '{"steps": [0]}', '{"steps": [0], "logit_scales": [], "cosines": [], "captions": []}']
)
def test_a_damaged_file_is_begun_again(tmp_path, damage):
    (tmp_path / GROWTH).write_text(damage)
    assert open_growth(tmp_path, 50).content["steps"] == []


def test_labelled_pairs_are_said_in_a_sentence_and_equal_texts_come_once(tmp_path):
    held_out = [painted(f"{name}{number}", name, label=name) for name in NAMES for number in range(3)]
    assert open_growth(tmp_path, held_out=held_out).content["captions"] == [f"a {name}" for name in NAMES]


def test_one_pair_makes_no_matrix(tmp_path):
    assert not open_growth(tmp_path, held_out=pairs()[:1]).is_due(0)
