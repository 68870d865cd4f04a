"""Captions are parsed here by a grammar of the tests' own and held against the scene that they describe."""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from lexel.data.scenes import held_out_labels, read_scenes
from lexel.data.scenes.colours import GROUNDS
from lexel.data.scenes.world import Item, Kind, SceneLayout

COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white"]
SHAPES = ["circle", "square", "triangle", "star", "heart", "cross", "ring", "moon", "diamond", "arrow"]
PLURALS = ["circles", "squares", "triangles", "stars", "hearts", "crosses", "rings", "moons", "diamonds", "arrows"]
ADJECTIVES = {
    **dict.fromkeys(("small", "tiny", "little"), ("size", "small")),
    **dict.fromkeys(("large", "big", "huge"), ("size", "large")),
    **dict.fromkeys(("striped", "stripy", "stripes"), ("texture", "striped")),
    **dict.fromkeys(("dotted", "spotted", "dots"), ("texture", "dotted")),
    **dict.fromkeys(("checked", "chequered", "checks"), ("texture", "checked")),
}
QUANTITIES = {"a": 1, "an": 1, "one": 1, "a single": 1, "two": 2, "a pair of": 2, "three": 3, "four": 4}


def _any(words: list[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


THING = re.compile(
    rf"\b(?P<quantity>{_any(list(QUANTITIES))}) (?P<adjectives>(?:(?:{_any(list(ADJECTIVES))}) )*)"
    rf"(?:(?P<colour>{_any(COLOURS)}) (?P<shape>{_any(PLURALS + SHAPES)})"
    rf"|(?P<shape_first>{_any(PLURALS + SHAPES)}) in (?P<colour_last>{_any(COLOURS)}))\b"
    r"(?: with (?P<tail>stripes|dots|checks)\b)?"
)
PLACES = {phrase: name for name, ground in GROUNDS.items() for phrase in ground.phrases}
PLACE = re.compile(rf",? ?\b(?P<place>{_any(list(PLACES))})\b,? ?")

Where = list[Item]


def _left(p: Where, q: Where) -> bool:
    return all(a.x + a.radius <= b.x - b.radius for a in p for b in q)


def _above(p: Where, q: Where) -> bool:
    return all(a.y + a.radius <= b.y - b.radius for a in p for b in q)


def _right(p: Where, q: Where) -> bool:
    return _left(q, p)


def _below(p: Where, q: Where) -> bool:
    return _above(q, p)


def _inside(p: Where, q: Where) -> bool:
    return all(abs(a.x - b.x) + a.radius < b.radius and abs(a.y - b.y) + a.radius < b.radius for a in p for b in q)


def _around(p: Where, q: Where) -> bool:
    return _inside(q, p)


def _beside(p: Where, q: Where) -> bool:
    return _left(p, q) or _left(q, p)


SAYINGS: dict[str, Callable[[Where, Where], bool]] = {
    **dict.fromkeys(
        ("P to the left of Q", "P left of Q", "P on the left of Q", "P on the left and Q on the right"), _left
    ),
    **dict.fromkeys(
        ("P to the right of Q", "P right of Q", "P on the right of Q", "on the right P, on the left Q"), _right
    ),
    **dict.fromkeys(("P next to Q", "P beside Q"), _beside),
    **dict.fromkeys(("P above Q", "P over Q", "P higher up than Q", "P with Q below"), _above),
    "P at the top and Q at the bottom": _above,
    **dict.fromkeys(("P below Q", "P under Q", "P underneath Q"), _below),
    **dict.fromkeys(("P inside Q", "P in Q", "P within Q", "P in the middle of Q", "P surrounded by Q"), _inside),
    **dict.fromkeys(("P around Q", "P with Q inside"), _around),
    "P and Q": lambda p, q: True,
}
FRAMES = ("a picture of ", "a photo of ", "a drawing of ", "i see ", "here is ", "here are ", "there is ", "there are ")
FRAMES += ("nothing but ",)
CLOSINGS = (" and nothing else", " can be seen")


@cache
def captioned() -> list[tuple[SceneLayout, str]]:
    """Thousands of worlds with a caption of each, made when the first test wants them."""
    return [
        (pair.picture.world(), caption)
        for split in ("train", "val", "test")
        for pair in read_scenes(f"scenes:4000/{split}?seed=2").pairs
        for caption in pair.captions
    ]


def parse(caption: str) -> tuple[list[re.Match[str]], str]:
    """The things that a caption names, in its order, and the sentence with P and Q in their places."""
    things = list(THING.finditer(caption))
    sentence = PLACE.sub(" ", THING.sub("P", caption, count=1)).strip()
    return things, THING.sub("Q", sentence)


def is_true_of(thing: re.Match[str], kind: Kind) -> bool:
    shape = thing["shape"] or thing["shape_first"]
    count = QUANTITIES[thing["quantity"]]
    said = [ADJECTIVES[word] for word in (*thing["adjectives"].split(), *filter(None, [thing["tail"]]))]
    return (
        (thing["colour"] or thing["colour_last"]) == kind.colour
        and shape == (SHAPES if count == 1 else PLURALS)[SHAPES.index(kind.shape)]
        and count == kind.count
        and all(getattr(kind, attribute) == value for attribute, value in said)
    )


def placed(world: SceneLayout, kind: Kind) -> Where:
    return [item for item in world.items if item.kind == kind]


def test_captions_name_each_kind_truly_with_number_and_plural():
    for world, caption in captioned():
        things, _ = parse(caption)
        kinds = [kind for kind in (world.main, world.other) if kind]
        assert len(things) == len(kinds), caption
        assert any(is_true_of(things[0], kind) for kind in kinds), (caption, world)
        assert any(is_true_of(things[-1], kind) for kind in kinds), (caption, world)
        assert any(is_true_of(thing, world.main) for thing in things), (caption, world)


def test_relations_are_true_of_the_geometry():
    told = Counter()
    for world, caption in captioned():
        if world.other is None:
            continue
        things, sentence = parse(caption)
        for frame in FRAMES:
            sentence = sentence.removeprefix(frame)
        first, second = (world.main, world.other) if is_true_of(things[0], world.main) else (world.other, world.main)
        assert SAYINGS[sentence](placed(world, first), placed(world, second)), (caption, world)
        told[sentence] += 1
    assert told.keys() == SAYINGS.keys()


def test_nothing_else_is_said_of_a_single_kind():
    for world, caption in captioned():
        if world.other is None:
            _, sentence = parse(caption)
            if sentence.startswith(("there ", "here ")):
                assert sentence.split()[1] == ("is" if world.main.count == 1 else "are")
            for frame in FRAMES:
                sentence = sentence.removeprefix(frame)
            for closing in CLOSINGS:
                sentence = sentence.removesuffix(closing)
            assert sentence == "P", caption


def test_a_place_is_that_of_the_scene():
    told = Counter()
    for world, caption in captioned():
        for place in PLACE.finditer(THING.sub("P", caption)):
            assert PLACES[place["place"]] == world.ground, caption
            told[place["place"]] += 1
    assert told.keys() == PLACES.keys()


def test_articles_agree():
    for _, caption in captioned():
        for article, following in re.findall(r"\b(an?) (\w)", caption):
            assert (article == "an") == (following in "aeiou"), caption


def test_left_and_right_are_always_said_with_these_words():
    """So that a loader that mirrors pictures can tell which captions it would make false."""
    for world, caption in captioned():
        says_side = re.search(r"\b(left|right)\b", caption) is not None
        assert not says_side or world.relation in ("left of", "right of")


@pytest.mark.parametrize("split", ["train", "val"])
def test_no_held_out_combination_is_mentioned_before_the_test(split):
    held_out = set(held_out_labels())
    plural = dict(zip(PLURALS, SHAPES, strict=True))
    for pair in read_scenes(f"scenes:4000/{split}?seed=2").pairs:
        for caption in pair.captions:
            for thing in THING.finditer(caption):
                shape = thing["shape"] or thing["shape_first"]
                colour = thing["colour"] or thing["colour_last"]
                assert f"{colour} {plural.get(shape, shape)}" not in held_out, caption
            assert not any(re.search(rf"\b{label}\b", caption) for label in held_out), caption


def test_captions_are_short_varied_and_two_or_three_to_a_scene():
    pairs = read_scenes("scenes:4000?seed=2").pairs
    assert {len(pair.captions) for pair in pairs} == {2, 3}
    assert all(len(set(pair.captions)) == len(pair.captions) for pair in pairs)
    captions = [caption for pair in pairs for caption in pair.captions]
    assert {len(caption.split()) for caption in captions} == set(range(3, 15))
    beside_the_plain_one = [caption for pair in pairs for caption in pair.captions[1:]]
    assert len(set(beside_the_plain_one)) > 0.75 * len(beside_the_plain_one)


def test_the_first_caption_of_a_single_kind_says_the_label_and_no_more():
    for pair in read_scenes("scenes:300").pairs:
        if pair.label and pair.picture.world().main.count == 1:
            assert pair.captions[0] in (f"a {pair.label}", f"an {pair.label}")
