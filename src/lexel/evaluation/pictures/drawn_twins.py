"""Twins that Lexel draws: scenes in which one thing differs, and captions that only that one thing tells apart.

A model that reads a caption as a bag of words scores at chance on `binding`, `size` and `negation`, whose two captions
hold the same words.
"""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from lexel.data.pairs import Pair, Source
from lexel.data.scenes.captions import NUMBERS, plural
from lexel.data.scenes.colours import COLOURS, apart, grounds_for
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.drawing import draw
from lexel.data.scenes.shapes import SHAPES
from lexel.data.scenes.world import SIZE, Item, Kind, SceneLayout

TWINS = 200  # of each probe
SMALL, LITTLE, MEDIUM, LARGE = 8.0, 9.0, 12.0, 18.0  # radius in pixels
NEAR, FAR = 12.0, 21.0  # pixels from the middle to each of two little shapes
QUARTER = SIZE / 4
SHIFT = 2.0  # pixels, at most, from where a shape is meant to be
THINKING, DRAWING = 3, 4  # what the dice are thrown for; 1 and 2 are those of `scenes:N`

Twin = tuple[tuple[SceneLayout, str], tuple[SceneLayout, str]]


@dataclass(frozen=True, slots=True)
class DrawnScene:
    """A scene that is drawn when it is loaded, always in the same way."""

    layout: SceneLayout
    probe: int
    index: int

    def load(self) -> Image.Image:
        """RGB, 64×64."""
        return draw(self.layout, Dice(self.probe, self.index, DRAWING))


def draw_twins(probe: str, count: int = TWINS) -> Source:
    """`count` twins of a probe, one image after the other; each carries its caption."""
    number = list(PROBES).index(probe)
    pairs = []
    for index in range(count):
        twin = PROBES[probe](Dice(number, index, THINKING))
        pairs += [
            Pair(f"{probe}/{index:04d}{'ab'[side]}", DrawnScene(layout, number, index), (caption,))
            for side, (layout, caption) in enumerate(twin)
        ]
    return Source(f"probe:{probe}", pairs)


def _counting(dice: Dice) -> Twin:
    kind, _ = _two_kinds(dice)
    first = dice.choose((1, 2, 3, 4))
    second = dice.choose([number for number in (1, 2, 3, 4) if number != first])
    ground = dice.choose(grounds_for(frozenset((kind.colour,))))

    def counted(number: int) -> tuple[SceneLayout, str]:
        free = [(x, y) for x in (QUARTER, 3 * QUARTER) for y in (QUARTER, 3 * QUARTER)]
        while len(free) > number:
            free.remove(dice.choose(free))
        items = tuple(_item(kind, x, y, MEDIUM, dice) for x, y in free)
        shape = plural(kind.shape) if number > 1 else kind.shape
        return SceneLayout(kind, None, None, ground, items), f"{NUMBERS[number]} {kind.colour} {shape}"

    return counted(first), counted(second)


def _relations(dice: Dice) -> Twin:
    one, other = _two_kinds(dice)
    flat = dice.chance(0.5)
    words = ("to the left of", "to the right of") if flat else ("above", "below")
    places = _places(flat)

    def placed(side: int) -> tuple[SceneLayout, str]:
        items = (_item(one, *places[side], MEDIUM, dice), _item(other, *places[1 - side], MEDIUM, dice))
        return _layout(one, other, items, ground), f"{_named(one)} {words[side]} {_named(other)}"

    ground = _ground(one, other, dice)
    return placed(0), placed(1)


def _binding(dice: Dice) -> Twin:
    one, other = _two_kinds(dice)
    ground, places = _ground(one, other, dice), _places(dice.chance(0.5))

    def coloured(first: Kind, second: Kind) -> tuple[SceneLayout, str]:
        items = (_item(first, *places[0], MEDIUM, dice), _item(second, *places[1], MEDIUM, dice))
        return _layout(first, second, items, ground), f"{_named(first)} and {_named(second)}"

    return coloured(one, other), coloured(Kind(one.shape, other.colour), Kind(other.shape, one.colour))


def _negation(dice: Dice) -> Twin:
    one, other = _two_kinds(dice)
    ground = _ground(one, other, dice)

    def alone(shown: Kind, absent: Kind) -> tuple[SceneLayout, str]:
        layout = SceneLayout(shown, None, None, ground, (_item(shown, SIZE / 2, SIZE / 2, LARGE, dice),))
        return layout, f"{_named(shown)} and not {_named(absent)}"

    return alone(one, other), alone(other, one)


def _size(dice: Dice) -> Twin:
    one, other = _two_kinds(dice)
    ground, flat = _ground(one, other, dice), dice.chance(0.5)

    def sized(large: Kind) -> tuple[SceneLayout, str]:
        small = other if large == one else one
        low, high = LARGE + SHIFT + 1, SIZE - SMALL - SHIFT - 1
        near, far = ((low, SIZE / 2), (high, SIZE / 2)) if flat else ((SIZE / 2, low), (SIZE / 2, high))
        items = (_item(large, *near, LARGE, dice), _item(small, *far, SMALL, dice))
        words = ("large", "small") if large == one else ("small", "large")
        said = f"a {words[0]} {one.colour} {one.shape} and a {words[1]} {other.colour} {other.shape}"
        return _layout(large, small, items, ground), said

    return sized(one), sized(other)


def _distance(dice: Dice) -> Twin:
    one, other = _two_kinds(dice)
    ground, flat = _ground(one, other, dice), dice.chance(0.5)

    def apart_by(offset: float, words: str) -> tuple[SceneLayout, str]:
        low, high = SIZE / 2 - offset, SIZE / 2 + offset
        first, second = ((low, SIZE / 2), (high, SIZE / 2)) if flat else ((SIZE / 2, low), (SIZE / 2, high))
        items = (_item(one, *first, LITTLE, dice), _item(other, *second, LITTLE, dice))
        return _layout(one, other, items, ground), f"{_named(one)} {words} {_named(other)}"

    return apart_by(NEAR, "close to"), apart_by(FAR, "far from")


PROBES: dict[str, Callable[[Dice], Twin]] = {
    "counting": _counting,
    "relations": _relations,
    "binding": _binding,
    "negation": _negation,
    "size": _size,
    "distance": _distance,
}


def _two_kinds(dice: Dice) -> tuple[Kind, Kind]:
    """Two kinds of different shapes, in plainly different colours."""
    shape, colour = dice.choose(list(SHAPES)), dice.choose(list(COLOURS))
    other_shape = dice.choose([name for name in SHAPES if name != shape])
    other_colour = dice.choose([name for name in COLOURS if apart(name, colour)])
    return Kind(shape, colour), Kind(other_shape, other_colour)


def _ground(one: Kind, other: Kind, dice: Dice) -> str:
    return dice.choose(grounds_for(frozenset((one.colour, other.colour))))


def _places(flat: bool) -> tuple[tuple[float, float], tuple[float, float]]:
    near, far = QUARTER, SIZE - QUARTER
    return ((near, SIZE / 2), (far, SIZE / 2)) if flat else ((SIZE / 2, near), (SIZE / 2, far))


def _item(kind: Kind, x: float, y: float, radius: float, dice: Dice) -> Item:
    return Item(kind, x + dice.between(-SHIFT, SHIFT), y + dice.between(-SHIFT, SHIFT), radius)


def _layout(one: Kind, other: Kind, items: tuple[Item, ...], ground: str) -> SceneLayout:
    return SceneLayout(one, other, None, ground, items)


def _named(kind: Kind) -> str:
    return f"{'an' if kind.colour[0] in 'aeiou' else 'a'} {kind.colour} {kind.shape}"
