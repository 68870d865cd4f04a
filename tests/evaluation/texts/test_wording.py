import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.errors import DataError, LexelError, UsageError
from lexel.evaluation.texts.wording import LabelWords, described, read_wording

CRANE = LabelWords(("crane bird", "heron"), ("long legs",))


def test_json_says_names_and_descriptions_or_one_of_them(tmp_path):
    path = tmp_path / "words.json"
    path.write_text(
        json.dumps(
            {
                "crane": {"names": ["crane bird", "heron"], "descriptions": ["long legs"]},
                "dog": "hound",
                "cat": ["whiskers", "a tail"],
            }
        )
    )
    assert read_wording(path) == {
        "crane": CRANE,
        "dog": LabelWords(("hound",)),
        "cat": LabelWords(("cat",), ("whiskers", "a tail")),
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "label,names,descriptions\ncrane,crane bird; heron,long legs\n"),
        ("t.tsv", "class\tsynonym\tdescription\ncrane\tcrane bird\tlong legs\ncrane\theron\t\n"),
        ("t.jsonl", '{"label": "crane", "names": ["crane bird", "heron"], "descriptions": ["long legs"]}\n'),
    ],
)
def test_a_table_says_the_same_in_one_cell_or_several_rows(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_wording(tmp_path / name) == {"crane": CRANE}


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        ("long legs", "crane, which has long legs"),
        ("a long beak.", "crane, which is a long beak"),
        ("has a red crown", "crane, which has a red crown"),
        ("used to lift loads", "crane, which is used to lift loads"),
        ("which flies", "crane, which flies"),
        ("with long legs", "crane with long legs"),
    ],
)
def test_a_description_goes_on_the_sentence(description, sentence):
    assert described("crane", description) == sentence


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.json", "[]", "no object"),
        ("w.json", "{}", "names no labels"),
        ("w.json", '{"a": 1}', 'words for "a"'),
        ("w.json", '{"a": {}}', 'words for "a"'),
        ("w.json", '{"a": {"name": "b"}}', 'words for "a"'),
        ("w.json", '{"a": [1]}', 'words for "a"'),
        ("w.json", "{", "not JSON"),
        ("w.csv", "a,b\n1,2\n", "needs a label column"),
        ("w.csv", "label,other\n1,2\n", "needs a label column"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        read_wording(tmp_path / name)


def test_a_file_that_is_not_there_or_of_another_kind_is_named(tmp_path):
    with pytest.raises(UsageError, match="There is no wording file"):
        read_wording(tmp_path / "none.json")
    (tmp_path / "words.docx").write_bytes(b"")
    with pytest.raises(UsageError, match="is no wording file"):
        read_wording(tmp_path / "words.docx")


FIELD_NAMES = st.sampled_from(["a", "names", "descriptions"])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELD_NAMES, inner, max_size=3),
)


@given(ANY_JSON)
def test_any_json_gives_words_or_one_error(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value))
    try:
        found = read_wording(path)
    except LexelError:
        return
    assert all(words.phrases and all(isinstance(text, str) for text in words.phrases) for words in found.values())
