from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pictures import smooth
from PIL import Image

from lexel.data.audit.copies import exact_copies, folded, near_captions
from lexel.data.audit.looks import look_at
from lexel.data.pairs import ImageFile, Pair, Source


def test_exact_copies_are_those_whose_whole_pixels_are_equal(tmp_path):
    smooth(0, 640, 480).save(tmp_path / "a.jpg", quality=95)
    jpeg = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(jpeg[:2] + b"\xff\xfe\x00\x06nice" + jpeg[2:])  # a comment, and the same pixels
    with Image.open(tmp_path / "a.jpg") as image:
        pixels = np.asarray(image).copy()
    pixels[::2, ::2] ^= 1  # nothing of it is left where the picture is decoded at reduced scale
    Image.fromarray(pixels).save(tmp_path / "c.png")
    Image.fromarray(pixels).save(tmp_path / "d.bmp")
    names = ["a.jpg", "b.jpg", "c.png", "d.bmp"]
    source = Source("s", [Pair(name, ImageFile(tmp_path / name)) for name in names])
    looks = look_at(source)
    looks.rows["pixels"] = looks.rows["pixels"][0]  # as if all looked the same at reduced scale
    assert exact_copies(source, looks) == [[0, 1], [2, 3]]


def test_captions_are_folded_by_case_and_punctuation():
    assert folded("  A Dog,\trunning!") == folded("a dog running") == "a dog running"
    assert folded("Ｓｔｒａße") == "strasse"
    assert folded("एक कुत्ता!") == "एक कुत्ता"
    assert folded("...") == ""


@given(st.lists(st.text("ab1 2.,A", max_size=6), max_size=20))
def test_near_captions_are_those_of_equal_sorted_words(captions):
    groups = defaultdict(set)
    for caption in captions:
        words = tuple(sorted("0" if word.isnumeric() else word for word in folded(caption).split()))
        groups[words].add(caption)
    wanted = {frozenset(group) for words, group in groups.items() if words and len(group) > 1}
    found = near_captions(captions)
    assert {frozenset(group) for group in found} == wanted
    assert len(found) == len(wanted)
    assert [len(group) for group in found] == sorted(map(len, wanted), reverse=True)
