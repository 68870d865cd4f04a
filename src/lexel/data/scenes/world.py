"""What a scene shows, before it is drawn or put into words: kinds of shapes, how many, where, on what ground."""

from dataclasses import dataclass
from itertools import product

from lexel.data.scenes.colours import COLOURS, apart, grounds_for
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.shapes import SHAPES

SIZE = 64  # pixels, square
MARGIN = 1.0  # pixels between two shapes, at the least
SPLITS = ("train", "val", "test")
TWO_KINDS = 0.2  # share of scenes that show two kinds and a relation

DIAMETERS = {"small": (22.0, 24.0), "medium": (28.0, 30.5), "large": (37.0, 39.0)}
TEXTURES = ("plain", "plain", "plain", "plain", "plain", "striped", "dotted", "checked")
SMALL_TEXTURES = TEXTURES[:-1]  # checks cannot be made out on a small shape
RELATIONS = ("left of", "right of", "above", "below", "inside")
ROOMY = ("circle", "square", "ring")  # what another shape fits inside

Look = tuple[str, str]  # shape, colour


def is_held_out(shape: str, colour: str) -> bool:
    """Whether the combination is kept from training: three colours of each shape, three shapes of each colour."""
    return (3 * list(SHAPES).index(shape) + list(COLOURS).index(colour)) % 10 in (0, 4, 5)


HELD_OUT: tuple[Look, ...] = tuple(look for look in product(SHAPES, COLOURS) if is_held_out(*look))
SEEN: tuple[Look, ...] = tuple(look for look in product(SHAPES, COLOURS) if not is_held_out(*look))
LOOKS = {"train": SEEN, "val": SEEN, "test": HELD_OUT}


@dataclass(frozen=True, slots=True)
class Kind:
    """Some shapes that are alike."""

    shape: str
    colour: str
    size: str = "medium"
    texture: str = "plain"
    count: int = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One shape of a kind: its centre and the radius of the circle that it stays inside, in pixels."""

    kind: Kind
    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class SceneLayout:
    """A scene in full: `main` stands in `relation` to `other` where there is another kind; items in drawing order."""

    main: Kind
    other: Kind | None
    relation: str | None
    ground: str
    items: tuple[Item, ...]


def imagine(split: str, dice: Dice) -> SceneLayout:
    """Think of a scene for the split."""
    if not dice.chance(TWO_KINDS):
        return _one_kind(LOOKS[split], dice)
    relation = dice.choose(RELATIONS)
    return _one_inside_another(LOOKS[split], dice) if relation == "inside" else _side_by_side(split, relation, dice)


def _one_kind(looks: tuple[Look, ...], dice: Dice) -> SceneLayout:
    shape, colour = dice.choose(looks)
    count = dice.choose((1, 1, 1, 1, 1, 1, 1, 2, 3, 4))
    size = dice.choose(("small", "medium", "large") if count == 1 else ("small", "medium"))
    kind = Kind(shape, colour, size, _texture(size, dice), count)
    diameter = dice.between(*DIAMETERS[size])
    cells = _cells(count, roomy=size == "medium", dice=dice)
    items = tuple(_item_within(cell, kind, diameter / 2, dice) for cell in cells)
    return SceneLayout(kind, None, None, dice.choose(grounds_for(frozenset((colour,)))), items)


def _side_by_side(split: str, relation: str, dice: Dice) -> SceneLayout:
    look = dice.choose(LOOKS[split])
    other_look = dice.choose([other for other in LOOKS[split] if other[0] != look[0]])
    count, other_count = dice.choose(((1, 1), (1, 1), (1, 1), (2, 1), (1, 2), (2, 2)))
    sizes = [("small", "small"), ("medium", "medium"), ("small", "large"), ("large", "small")]
    size, other_size = dice.choose(sizes) if count == other_count == 1 else ("small", "small")
    main = Kind(*look, size, _texture(size, dice), count)
    other = Kind(*other_look, other_size, _texture(other_size, dice), other_count)

    first, second = (main, other) if relation in ("left of", "above") else (other, main)
    items = _parted(first, second, relation in ("left of", "right of"), dice)
    return SceneLayout(main, other, relation, dice.choose(grounds_for(frozenset((look[1], other_look[1])))), items)


def _parted(first: Kind, second: Kind, flat: bool, dice: Dice) -> tuple[Item, ...]:
    """Two kinds, first left (flat) or above, a straight line between them; two shapes are askew by 1 to 2 at most."""
    r1, r2 = (dice.between(*DIAMETERS[kind.size]) / 2 for kind in (first, second))
    free = SIZE - 2 * (r1 + r2) - MARGIN  # along the line from first to second
    before, until = sorted(dice.between(0.0, free) for _ in range(2))
    along = [before + r1, until + 2 * r1 + MARGIN + r2]
    if first.count == second.count == 1:
        start = dice.between(r1 + MARGIN, SIZE - r1 - MARGIN)
        askew = (along[1] - along[0]) / 2
        low, high = max(r2 + MARGIN, start - askew), min(SIZE - r2 - MARGIN, start + askew)
        across = [[start], [dice.between(low, high)]]
    else:
        across = [_spread(kind.count, radius, dice) for kind, radius in ((first, r1), (second, r2))]
    return tuple(
        Item(kind, *((a, c) if flat else (c, a)), radius)
        for kind, radius, a, crossing in zip((first, second), (r1, r2), along, across, strict=True)
        for c in crossing
    )


def _one_inside_another(looks: tuple[Look, ...], dice: Dice) -> SceneLayout:
    outer_look = dice.choose([look for look in looks if look[0] in ROOMY])
    shape, colour = dice.choose([look for look in looks if look[0] != outer_look[0] and apart(look[1], outer_look[1])])
    main, outer = Kind(shape, colour, "small"), Kind(*outer_look, "large")
    radius, outer_radius = dice.between(*DIAMETERS["small"]) / 2, dice.between(23.0, 27.0)
    x, y = (dice.between(outer_radius + MARGIN, SIZE - outer_radius - MARGIN) for _ in range(2))
    room = (0.55 * outer_radius - radius) / 1.5  # either way, within the hole of a ring
    inner = Item(main, x + dice.between(-room, room), y + dice.between(-room, room), radius)
    ground = dice.choose(grounds_for(frozenset((colour, outer_look[1]))))
    return SceneLayout(main, outer, "inside", ground, (Item(outer, x, y, outer_radius), inner))


def _texture(size: str, dice: Dice) -> str:
    return dice.choose(SMALL_TEXTURES if size == "small" else TEXTURES)


Box = tuple[float, float, float, float]  # left, top, right, bottom


def _cells(count: int, roomy: bool, dice: Dice) -> list[Box]:
    """`count` boxes that do not overlap: the frame, halves, thirds where small shapes do, or quarters."""
    strips = min(count, 2)
    width = SIZE / strips
    columns = [(i * width, 0.0, (i + 1) * width, float(SIZE)) for i in range(strips)]
    if strips == count:
        return columns if dice.chance(0.5) else [(top, left, bottom, right) for left, top, right, bottom in columns]
    quarters = [(x, y, x + SIZE / 2, y + SIZE / 2) for x in (0.0, SIZE / 2) for y in (0.0, SIZE / 2)]
    if count == 3:
        quarters.remove(dice.choose(quarters))
    return quarters


def _item_within(box: Box, kind: Kind, radius: float, dice: Dice) -> Item:
    left, top, right, bottom = box
    x = dice.between(*_inset(left, right, radius))
    return Item(kind, x, dice.between(*_inset(top, bottom, radius)), radius)


def _inset(low: float, high: float, radius: float) -> tuple[float, float]:
    middle = (low + high) / 2
    slack = (high - low) / 2 - radius - MARGIN / 2
    return middle - slack, middle + slack


def _spread(count: int, radius: float, dice: Dice) -> list[float]:
    """Places for `count` shapes in a row across the frame."""
    width = SIZE / count
    return [dice.between(*_inset(i * width, (i + 1) * width, radius)) for i in range(count)]
