import re

import pytest

from lexel.curation.sources.text_pattern import captions_found, check_pattern
from lexel.errors import UsageError

CAPTIONS = ["A dog", "Stock photo of a DOG", "hot dogs", "", "a dog"]


def test_captions_are_found_as_re_finds_them():
    for pattern in (r"\bdog\b", r"^stock", "s$"):
        wanted = {caption for caption in CAPTIONS if re.search(pattern, caption, re.IGNORECASE)}
        assert captions_found(pattern, CAPTIONS) == wanted
    assert captions_found("dog", []) == set()


def test_a_pattern_that_never_ends_is_stopped():
    with pytest.raises(UsageError, match=r"takes more than 0.5 s on 2 captions"):
        captions_found(r"(a+)+$", ["fine", "a" * 60 + "!"], seconds=0.5)


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<a>b)(?P<a>c)", "a{99999999999}"])
def test_what_is_no_expression_is_refused(pattern):
    with pytest.raises(UsageError, match="is no regular expression"):
        check_pattern(pattern)
