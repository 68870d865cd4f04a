import inspect
import io
from dataclasses import fields

import numpy as np
import pytest
from coloured_library import coloured_library
from PIL import Image

from lexel.errors import UsageError
from lexel.library.library import Library
from lexel.library.search.query import Query


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    with coloured_library(tmp_path_factory.mktemp("home"), ("red", "blue"), each=2) as library:
        yield library


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "Nothing is asked"),
        ({"texts": []}, "Nothing is asked"),
        ({"texts": "red", "top": 0}, "counted from 1"),
        ({"texts": "red", "diversity": 2}, "Diversity goes"),
        ({"texts": [("red", -1.0)]}, "A weight is above 0"),
        ({"texts": [("red", "much")]}, "A weight is above 0"),
        ({"texts": [("red", float("inf")), "blue"]}, "A weight is above 0"),
        ({"texts": " "}, "empty"),
        ({"texts": [3]}, "Text 1 is "),
        ({"texts": "red", "without": " "}, "left out is empty"),
        ({"keywords": " "}, "empty"),
        ({"keywords": ""}, "empty"),
        ({"like": 99999}, "has no photo 99999"),
        ({"texts": "red", "least": "posible"}, 'Did you mean "possible"'),
        ({"text": "red"}, 'no option "text". Did you mean "texts"'),
        ({"texts": "red", "colour": 1}, 'no option "colour". There are: texts, like'),
    ],
)
def test_what_cannot_be_asked_is_said(library, asked, said):
    with pytest.raises(UsageError, match=said):
        library.find(Query(**asked))


def test_a_mistyped_option_of_a_search_names_the_nearest(library):
    with pytest.raises(UsageError, match=r'no option "oriantation"\. Did you mean "orientation"'):
        library.search("red", oriantation="portrait")


def test_editors_see_the_options_of_a_query():
    assert list(inspect.signature(Query).parameters) == [field.name for field in fields(Query)]


def test_a_search_takes_every_option_of_a_query():
    taken = inspect.signature(Library.search).parameters
    asked = {field.name: field.default for field in fields(Query) if field.name != "texts"}
    assert {name: taken[name].default for name in list(taken)[2:-1]} == asked


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("one", [Image.new("RGB", (9, 9), "red"), png(), 1, np.int64(1)])
def test_one_picture_needs_no_list(library, one):
    assert [hit.photo for hit in library.search(like=one)] == [hit.photo for hit in library.search(like=[one])]
    assert library.search(like=(one, 2.0)) == library.search(like=[(one, 2.0)])
