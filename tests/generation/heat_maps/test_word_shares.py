import numpy as np
import pytest
from colour_encoder import ColourEncoder, Painted

from lexel.generation.heat_maps.words import word_shares


def test_the_word_that_fits_the_picture_has_the_largest_share():
    encoder = ColourEncoder()
    red = encoder.embed_images([Painted(("red",))])[0]
    shares = word_shares(encoder, red, "a red  and blue thing")
    assert [share.word for share in shares] == ["a", "red", "and", "blue", "thing"]
    assert shares[1].share == pytest.approx(1)
    assert shares[3].effect < 0
    without = encoder.embed_texts(["a red and blue thing", "a and blue thing"]) @ red
    assert shares[1].effect == pytest.approx(without[0] - without[1])


def test_shares_are_zero_where_no_word_speaks_for_the_picture_and_one_for_a_single_word():
    encoder = ColourEncoder()
    red = encoder.embed_images([Painted(("red",))])[0]
    assert sum(share.share for share in word_shares(encoder, np.zeros_like(red), "red blue")) == 0
    assert [share.share for share in word_shares(encoder, red, "red")] == [1.0]
