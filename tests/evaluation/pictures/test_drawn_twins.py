import numpy as np
import pytest

from lexel.data.scenes.world import SIZE
from lexel.evaluation.pictures.drawn_twins import PROBES, draw_twins

COUNT = 40


def words(caption):
    return sorted(caption.replace("an ", "a ").split())


@pytest.mark.parametrize("probe", PROBES)
def test_twins_are_the_same_every_time_and_differ_in_picture_and_caption(probe):
    once, again = draw_twins(probe, COUNT), draw_twins(probe, COUNT)
    assert [pair.captions for pair in once.pairs] == [pair.captions for pair in again.pairs]
    assert len({pair.key for pair in once.pairs}) == 2 * COUNT
    pictures = [np.asarray(pair.picture.load()) for pair in once.pairs]
    assert all(np.array_equal(mine, pair.picture.load()) for mine, pair in zip(pictures, again.pairs, strict=True))
    for i in range(0, 2 * COUNT, 2):
        assert once.pairs[i].captions != once.pairs[i + 1].captions
        assert np.abs(pictures[i].astype(int) - pictures[i + 1]).max() > 30


@pytest.mark.parametrize("probe", PROBES)
def test_shapes_lie_inside_the_picture_and_do_not_overlap(probe):
    for pair in draw_twins(probe, COUNT).pairs:
        items = pair.picture.layout.items
        for i, item in enumerate(items):
            assert item.radius <= min(item.x, item.y, SIZE - item.x, SIZE - item.y)
            for other in items[:i]:
                assert np.hypot(item.x - other.x, item.y - other.y) > item.radius + other.radius


@pytest.mark.parametrize("probe", ["binding", "negation", "size"])
def test_a_bag_of_words_cannot_tell_these_captions_apart(probe):
    pairs = draw_twins(probe, COUNT).pairs
    for mine, other in zip(pairs[::2], pairs[1::2], strict=True):
        assert words(mine.captions[0]) == words(other.captions[0])


def test_captions_say_what_is_to_be_seen():
    numbers = {"one": 1, "two": 2, "three": 3, "four": 4}
    for pair in draw_twins("counting", COUNT).pairs:
        assert numbers[pair.captions[0].split()[0]] == len(pair.picture.layout.items)
    for pair in draw_twins("relations", COUNT).pairs:
        first, second = pair.picture.layout.items  # in the order of the caption
        said = pair.captions[0]
        assert said.index(first.kind.shape) < said.index(second.kind.shape)
        gap, word = (second.x - first.x, "left") if "to the" in said else (second.y - first.y, "above")
        assert (gap > 0) == (word in said)
    for pair in draw_twins("binding", COUNT).pairs:
        assert all(f"{item.kind.colour} {item.kind.shape}" in pair.captions[0] for item in pair.picture.layout.items)
    for pair in draw_twins("negation", COUNT).pairs:
        [item] = pair.picture.layout.items
        assert f"{item.kind.colour} {item.kind.shape}" in pair.captions[0].split(" and not ")[0]
    for pair in draw_twins("size", COUNT).pairs:
        largest = max(pair.picture.layout.items, key=lambda item: item.radius)
        assert f"large {largest.kind.colour} {largest.kind.shape}" in pair.captions[0]
