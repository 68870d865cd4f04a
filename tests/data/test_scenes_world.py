"""What scenes show: which combinations are held out, and that shapes are apart, within the frame and in relation."""

from collections import Counter
from itertools import combinations
from math import dist

import pytest

from lexel.data.scenes.colours import COLOURS, GROUNDS, PLAINLY_SEEN, distance, grounds_for
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.shapes import SHAPES
from lexel.data.scenes.world import DIAMETERS, HELD_OUT, SEEN, SIZE, imagine, is_held_out

WORLDS = {split: [imagine(split, Dice(11, i)) for i in range(3000)] for split in ("train", "val", "test")}


def test_three_of_ten_are_held_out_of_every_shape_and_of_every_colour():
    assert len(HELD_OUT) == 30
    assert len(SEEN) == 70
    assert set(Counter(shape for shape, _ in HELD_OUT).values()) == {3}
    assert set(Counter(colour for _, colour in HELD_OUT).values()) == {3}
    assert {shape for shape, _ in HELD_OUT} == set(SHAPES)
    assert {colour for _, colour in HELD_OUT} == set(COLOURS)


def test_the_held_out_combinations_stay_the_same_from_version_to_version():
    """Reported zero-shot numbers can be compared only as long as these do not move."""
    assert {colour for shape, colour in HELD_OUT if shape == "circle"} == {"red", "blue", "purple"}
    assert {colour for shape, colour in HELD_OUT if shape == "star"} == {"orange", "purple", "pink"}
    assert {colour for shape, colour in HELD_OUT if shape == "arrow"} == {"green", "brown", "black"}


@pytest.mark.parametrize("split", ["train", "val"])
def test_no_held_out_combination_is_shown_before_the_test(split):
    shown = {(item.kind.shape, item.kind.colour) for world in WORLDS[split] for item in world.items}
    assert shown == set(SEEN)


def test_every_shape_of_a_test_scene_is_held_out():
    assert all(is_held_out(item.kind.shape, item.kind.colour) for world in WORLDS["test"] for item in world.items)
    assert Counter((w.main.shape, w.main.colour) for w in WORLDS["test"]).keys() == set(HELD_OUT)


@pytest.mark.parametrize("split", WORLDS)
def test_relations_counts_sizes_and_grounds_all_occur(split):
    worlds = WORLDS[split]
    assert {w.relation for w in worlds} == {None, "left of", "right of", "above", "below", "inside"}
    assert {w.main.count for w in worlds} == {1, 2, 3, 4}
    assert {w.main.size for w in worlds} == set(DIAMETERS)
    assert {w.ground for w in worlds} == set(GROUNDS)


@pytest.mark.parametrize("split", WORLDS)
def test_as_many_shapes_are_shown_as_are_counted(split):
    for world in WORLDS[split]:
        shown = Counter(item.kind for item in world.items)
        assert shown == {kind: kind.count for kind in (world.main, world.other) if kind}


def test_shapes_are_within_the_frame_and_apart_unless_inside():
    for world in WORLDS["train"] + WORLDS["test"]:
        for item in world.items:
            assert item.radius <= item.x <= SIZE - item.radius
            assert item.radius <= item.y <= SIZE - item.radius
        for one, other in combinations(world.items, 2):
            if world.relation != "inside":
                assert dist((one.x, one.y), (other.x, other.y)) >= one.radius + other.radius


def test_what_is_inside_keeps_clear_of_the_rim():
    for world in WORLDS["train"] + WORLDS["test"]:
        if world.relation == "inside":
            outer, inner = world.items
            hole = 0.55 * outer.radius  # of a ring, the tightest
            assert dist((outer.x, outer.y), (inner.x, inner.y)) + inner.radius <= hole + 0.5


def test_size_words_are_true():
    for world in WORLDS["train"]:
        for item in world.items:
            low, high = DIAMETERS[item.kind.size]
            assert low <= 2 * item.radius <= (54 if world.relation == "inside" else high)


def test_every_colour_is_plainly_seen_on_its_ground():
    for world in WORLDS["train"] + WORLDS["test"]:
        for item in world.items:
            for ground in GROUNDS[world.ground].colours:
                assert distance(COLOURS[item.kind.colour], ground) >= PLAINLY_SEEN


def test_any_two_colours_can_meet_on_several_grounds():
    assert all(len(grounds_for(frozenset(pair))) >= 4 for pair in combinations(COLOURS, 2))


def test_distances_of_colours_are_those_of_the_standard():
    """Between greys CIE94 is the difference of lightness; it is the same both ways."""
    assert distance((0, 0, 0), (255, 255, 255)) == pytest.approx(100, abs=0.1)
    assert distance((119, 119, 119), (0, 0, 0)) == pytest.approx(50, abs=0.2)
    assert distance((10, 200, 30), (10, 200, 30)) == 0
    assert distance((200, 10, 30), (20, 60, 220)) == distance((20, 60, 220), (200, 10, 30))
