"""Scenes in words: 3 to 14 of them, always true, and varied enough that a model must learn words, not sentences."""

from lexel.data.scenes.colours import GROUNDS
from lexel.data.scenes.dice import Dice
from lexel.data.scenes.world import Kind, SceneLayout

LONGEST = 14  # words

NUMBERS = ("zero", "one", "two", "three", "four")
SIZE_WORDS = {"small": ("small", "small", "tiny", "little"), "large": ("large", "large", "big", "huge")}
TEXTURE_WORDS = {"striped": ("striped", "stripy"), "dotted": ("dotted", "spotted"), "checked": ("checked", "chequered")}
TEXTURE_TAILS = {"striped": "with stripes", "dotted": "with dots", "checked": "with checks"}

# {a} the main kind, {p} the ground, {is} agrees with {a}
ONE_KIND = (
    "{a}",
    "{a}",
    "{a}",
    "a picture of {a}",
    "a photo of {a}",
    "a drawing of {a}",
    "there {is} {a}",
    "here {is} {a}",
    "nothing but {a}",
    "{a} and nothing else",
)
ONE_KIND_PLACED = (
    "{a} {p}",
    "{a} {p}",
    "{a} {p}",
    "a picture of {a} {p}",
    "a drawing of {a} {p}",
    "there {is} {a} {p}",
    "{p} there {is} {a}",
    "{p}, {a}",
    "{a} can be seen {p}",
    "i see {a} {p}",
)

# {b} the other kind; said of the one that is left, above or inside, and the other way round with the two exchanged
LEFT = (
    "{a} to the left of {b}",
    "{a} to the left of {b}",
    "{b} to the right of {a}",
    "{b} to the right of {a}",
    "{a} left of {b}",
    "{b} right of {a}",
    "{a} on the left of {b}",
    "{b} on the right of {a}",
    "{a} on the left and {b} on the right",
    "on the right {b}, on the left {a}",
    "{a} next to {b}",
    "{b} beside {a}",
)
ABOVE = (
    "{a} above {b}",
    "{a} above {b}",
    "{b} below {a}",
    "{b} below {a}",
    "{b} under {a}",
    "{b} underneath {a}",
    "{a} over {b}",
    "{a} higher up than {b}",
    "{a} at the top and {b} at the bottom",
    "{a} with {b} below",
    "{a} and {b}",
)
INSIDE = (
    "{a} inside {b}",
    "{a} inside {b}",
    "{a} in {b}",
    "{a} within {b}",
    "{a} in the middle of {b}",
    "{b} around {a}",
    "{b} with {a} inside",
    "{a} surrounded by {b}",
)
TEMPLATES = {"left of": LEFT, "right of": LEFT, "above": ABOVE, "below": ABOVE, "inside": INSIDE}
FRAMES = ("{s}", "{s}", "{s}", "{s} {p}", "{s} {p}", "{p}, {s}", "a picture of {s}", "i see {s}")


def describe(world: SceneLayout, dice: Dice) -> tuple[str, ...]:
    """Two or three different true captions of the scene; where there is one kind, the first says nothing more.

    Whatever else is said, a model may go by instead of the shape, which is the hardest to see.
    """
    captions = {} if world.other else {_plainly(world.main): None}
    wanted = 2 + dice.chance(0.5)
    while len(captions) < wanted:
        caption = _of_one_kind(world, dice) if world.other is None else _of_two_kinds(world, world.other, dice)
        if caption.count(" ") < LONGEST:
            captions[caption] = None
    return tuple(captions)


def name_kind(kind: Kind, dice: Dice) -> str:
    """The kind as part of a sentence, with more or less of what can be said of it: "three small red circles"."""
    words: list[str] = []
    tail = ""
    if kind.size in SIZE_WORDS and dice.chance(0.35):
        words.append(dice.choose(SIZE_WORDS[kind.size]))
    if kind.texture != "plain" and dice.chance(0.4):
        if dice.chance(0.25):
            tail = " " + TEXTURE_TAILS[kind.texture]
        else:
            words.append(dice.choose(TEXTURE_WORDS[kind.texture]))
    shape = plural(kind.shape) if kind.count > 1 else kind.shape
    if dice.chance(0.06):
        words.append(f"{shape} in {kind.colour}")
    else:
        words += (kind.colour, shape)
    return f"{_quantity(kind.count, words[0], dice)} {' '.join(words)}{tail}"


def plural(shape: str) -> str:
    return shape + ("es" if shape.endswith("s") else "s")


def _quantity(count: int, next_word: str, dice: Dice) -> str:
    if count == 2 and dice.chance(0.15):
        return "a pair of"
    if count > 1:
        return NUMBERS[count]
    if dice.chance(0.12):
        return dice.choose(("one", "a single"))
    return "an" if next_word[0] in "aeiou" else "a"


def _plainly(kind: Kind) -> str:
    article = "an" if kind.colour[0] in "aeiou" else "a"
    if kind.count > 1:
        return f"{NUMBERS[kind.count]} {kind.colour} {plural(kind.shape)}"
    return f"{article} {kind.colour} {kind.shape}"


def _of_one_kind(world: SceneLayout, dice: Dice) -> str:
    fill = {"a": name_kind(world.main, dice), "p": _place(world, dice), "is": "are" if world.main.count > 1 else "is"}
    return dice.choose(ONE_KIND_PLACED if dice.chance(0.3) else ONE_KIND).format_map(fill)


def _of_two_kinds(world: SceneLayout, other: Kind, dice: Dice) -> str:
    first, second = name_kind(world.main, dice), name_kind(other, dice)
    if world.relation in ("right of", "below"):
        first, second = second, first
    templates = TEMPLATES[world.relation or ""]
    sentence = dice.choose(templates).format_map({"a": first, "b": second})
    return dice.choose(FRAMES).format_map({"s": sentence, "p": _place(world, dice)})


def _place(world: SceneLayout, dice: Dice) -> str:
    return dice.choose(GROUNDS[world.ground].phrases)
