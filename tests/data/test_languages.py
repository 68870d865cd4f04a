"""Columns of languages, and tables of sentences without pictures."""

import pytest
from parallel import make_parallel_folder

from lexel.data.languages import check_languages, has_pictures, language_column, read_sentences, texts_of
from lexel.data.pairs import EmbeddedImage, Pair
from lexel.data.readers import read_source
from lexel.errors import UsageError


@pytest.mark.parametrize(
    ("language", "column"),
    [("de", "captions_de"), ("fr", "caption-FR"), ("captions_de", "captions_de"), ("EN", "en"), ("e", None)],
)
def test_a_language_is_found_by_its_column_or_its_code(language, column):
    assert language_column(["file_name", "captions", "captions_de", "caption-FR", "en"], language) == column


def test_a_code_that_fits_two_columns_is_refused():
    with pytest.raises(UsageError, match='"de" may be the column captions_de or title_de'):
        language_column(["captions_de", "title_de"], "de")


@pytest.mark.parametrize("value", ["ein Hund", ["ein Hund"], '["ein Hund"]', [{"raw": "ein Hund"}, None, "nan"]])
def test_texts_are_read_as_captions_are(value):
    assert texts_of(Pair("1", EmbeddedImage(b""), ("a dog",), extras={"captions_de": value}), "de") == ("ein Hund",)


def test_english_is_the_captions_themselves_where_no_column_is_called_so():
    pair = Pair("1", EmbeddedImage(b""), ("a dog",), extras={"captions_de": "ein Hund", "other_en": "a hound"})
    assert texts_of(pair, "en") == ("a dog",)
    assert texts_of(pair, "fr") == ()


def test_a_language_that_is_missing_is_named_with_those_that_are_there(tmp_path):
    source = read_source(str(make_parallel_folder(tmp_path / "shop", "scenes:6/train")), keep_columns=True)
    check_languages(source, ["en", "de", "fr"])
    with pytest.raises(UsageError, match=r"no captions in the language cs.*\n.*captions_de, captions_fr"):
        check_languages(source, ["de", "cs"])


def test_a_table_of_sentences_needs_no_pictures(tmp_path):
    (tmp_path / "pairs.csv").write_text("de,en\nein Hund,a dog\neine Katze,\nein Haus,a house\n")
    source = read_sentences(tmp_path / "pairs.csv", None, None)
    assert [(pair.captions, texts_of(pair, "de")) for pair in source.pairs] == [
        (("a dog",), ("ein Hund",)),
        (("a house",), ("ein Haus",)),
    ]
    assert not has_pictures(source)
    assert "left out 1 row" in " ".join(source.notes)


def test_a_table_of_pictures_is_no_table_of_sentences(tmp_path):
    folder = make_parallel_folder(tmp_path / "shop", "scenes:3/train")
    assert read_sentences(folder / "metadata.jsonl", None, None) is None
    assert read_sentences(folder, None, None) is None


def test_a_table_in_which_nothing_must_be_english_lists_its_columns(tmp_path):
    (tmp_path / "pairs.csv").write_text("de,source\nein Hund,a dog\n")
    with pytest.raises(UsageError, match=r"must be English. It has: de, source\.\n.*languages\.english=NAME"):
        read_sentences(tmp_path / "pairs.csv", None, None)
    assert read_sentences(tmp_path / "pairs.csv", "source", None).pairs[0].captions == ("a dog",)
