"""Pictures show what their worlds say: the named colour where each shape stands, and nothing elsewhere."""

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from lexel.data.scenes.colours import COLOURS, GROUNDS, RGB, distance
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.drawing import draw
from lexel.data.scenes.shapes import SHAPES
from lexel.data.scenes.world import SIZE, Item, Kind, SceneLayout, imagine

STANDS_OUT = 20.0  # CIE94 between the middle colour of a shape and the middle colour around it

WORLDS = [imagine(split, Dice(3, i)) for split in ("train", "test") for i in range(150)]


@cache
def nearest_colour(pixel: RGB) -> str:
    return min(COLOURS, key=lambda name: distance(COLOURS[name], pixel))


def drawn(world: SceneLayout, items: int | None = None) -> NDArray[np.int_]:
    """The picture when only so many of its shapes have been drawn."""
    return np.asarray(draw(replace(world, items=world.items[:items]), Dice(1))).astype(int)


def own_pixels(world: SceneLayout, number: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """What one shape of the scene covers, (N, 3), and what was there before, over the circle that it stays inside."""
    before, after = drawn(world, number), drawn(world, number + 1)
    here = pixels_from(world.items[number]) < world.items[number].radius
    return after[here & (np.abs(after - before).sum(axis=2) > 40)], before[here]


def pixels_from(item: Item) -> NDArray[np.float64]:
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    return np.hypot(x - item.x, y - item.y)


def middle(pixels: NDArray[np.int_]) -> RGB:
    r, g, b = np.median(pixels, axis=0).astype(int).tolist()
    return r, g, b


def test_nothing_is_drawn_away_from_the_shapes():
    for world in WORLDS:
        far = np.all([pixels_from(item) > item.radius + 4 for item in world.items], axis=0)
        assert np.array_equal(drawn(world)[far], drawn(world, 0)[far])


def test_a_person_could_name_the_colour_of_every_shape():
    for world in WORLDS:
        for number, item in enumerate(world.items):
            covered, _ = own_pixels(world, number)
            votes = Counter(nearest_colour((r, g, b)) for r, g, b in covered.tolist())
            assert votes.most_common(1)[0][0] == item.kind.colour, (item, votes)


def test_every_plain_shape_stands_out_from_what_is_around_it():
    for world in WORLDS:
        for number, item in enumerate(world.items):
            if item.kind.texture == "plain":
                covered, before = own_pixels(world, number)
                assert distance(middle(covered), middle(before)) > STANDS_OUT, item


@pytest.mark.parametrize("name", GROUNDS)
def test_grounds_look_like_the_colours_that_are_kept_off_them(name):
    """Every part of a ground is near one of the colours by which contrast is judged."""
    kind = Kind("circle", "red")
    for seed in range(4):
        ground = np.asarray(draw(SceneLayout(kind, None, None, name, ()), Dice(seed)))
        blocks = ground.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)).reshape(-1, 3).astype(int)
        off = [min(distance((r, g, b), colour) for colour in GROUNDS[name].colours) for r, g, b in blocks.tolist()]
        assert np.median(off) < 12, off


def test_no_two_shapes_look_alike_even_at_32_pixels():
    """Silhouettes 18 pixels wide, turned as they may be, share less than 85 % of their area."""
    masks = {}
    for shape in SHAPES:
        item = Item(Kind(shape, "black", "large"), 32.0, 32.0, 18.0)
        world = SceneLayout(item.kind, None, None, "cream", (item,))
        masks[shape] = (np.abs(drawn(world) - drawn(world, 0)).sum(axis=2) > 200)[::2, ::2]
    for one in SHAPES:
        for other in SHAPES:
            shared = (masks[one] & masks[other]).sum() / (masks[one] | masks[other]).sum()
            assert (shared > 0.85) == (one == other), (one, other, shared)
