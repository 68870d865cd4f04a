import numpy as np
import pytest
from colour_encoder import Broken, ColourEncoder, Painted

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError
from lexel.generation.learning.embeddings import embed_pairs

RED, BLUE = Painted(("red",)), Painted(("blue",))
PAIRS = [
    Pair("a", RED, ("a red wall", " a red wall", "red")),
    Pair("b", Broken(), ("blue",)),
    Pair("c", BLUE, (), label="blue"),
    Pair("d", RED, (" ",)),
]


def embed(pairs, templates=()):
    return embed_pairs(ColourEncoder(), Source("colours", pairs), None, templates)


def test_each_pair_keeps_its_own_distinct_texts(capsys):
    embedded = embed(PAIRS)
    assert [pair.key for pair in embedded.pairs] == ["a"]
    assert embedded.texts == ["a red wall", "red"]
    assert embedded.texts_of == [[0, 1]]
    np.testing.assert_allclose(embedded.pictures @ embedded.text_vectors.T, 1, atol=0.1)
    assert "1 of 2 images cannot be read; the first is b: the file ends in the middle" in capsys.readouterr().err


def test_a_label_stands_in_for_captions_where_templates_are_given():
    embedded = embed(PAIRS, ("a photo of {}", "{}"))
    assert [pair.key for pair in embedded.pairs] == ["a", "c"]
    assert [[embedded.texts[row] for row in rows] for rows in embedded.texts_of] == [
        ["a red wall", "red"],
        ["a photo of blue", "blue"],
    ]


def test_the_fingerprint_follows_texts_vectors_and_who_belongs_to_whom():
    first = [Pair("a", RED, ("red",)), Pair("b", BLUE, ("blue",))]
    swapped = [Pair("a", RED, ("blue",)), Pair("b", BLUE, ("red",))]
    other = [Pair("a", RED, ("red",)), Pair("b", BLUE, ("a blue",))]
    again = embed(first).fingerprint()
    assert embed(first).fingerprint() == again
    assert len({embed(pairs).fingerprint() for pairs in (first, swapped, other)}) == 3


def test_a_source_without_captions_is_refused():
    with pytest.raises(DataError, match="colours has no captions: none of its 2 images says what it shows"):
        embed([Pair("c", BLUE, (), label="blue"), Pair("d", RED)])
