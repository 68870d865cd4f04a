import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.errors import UsageError
from lexel.evaluation.texts.labels import read_labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cat, dog ,, bird", ["cat", "dog", "bird"]),
        ("a red bicycle", ["a red bicycle"]),
        ("hat;shoes", ["hat", "shoes"]),
        ("hat;shoes,coat", ["hat;shoes", "coat"]),
        ('"Paris, France", Rome', ["Paris, France", "Rome"]),
        ('"24"" screen",phone', ['24" screen', "phone"]),
        ("cat\ndog,bird", ["cat", "dog", "bird"]),
        ("and/or, black/white photo", ["and/or", "black/white photo"]),
        ('"labels.csv"', ["labels.csv"]),
        ("Mr. Smith,St. Pauli", ["Mr. Smith", "St. Pauli"]),
    ],
)
def test_a_list_is_split_where_its_writer_meant_it(text, labels):
    assert read_labels(text) == labels


@given(
    labels=st.lists(
        st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(
            lambda label: label.strip() == label and label
        ),
        min_size=1,
        unique=True,
    )
)
def test_a_list_that_a_csv_writer_quoted_comes_back_as_it_was(labels):
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(labels)
    assert read_labels(line.getvalue().strip()) == labels


@pytest.mark.parametrize("text", ["labels.csv", "labels.TXT", "lists/mine", "~/x.parquet", "photo.jpg", "names.json"])
def test_what_looks_like_a_file_and_is_not_there_is_an_error(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="There is no label file"):
        read_labels(text)


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("l.txt", "\ufeffcat\n\n dog, big \n", ["cat", "dog, big"]),
        ("l.csv", "cat\ndog\n", ["cat", "dog"]),
        ("l.csv", "label\ncat\ndog\n", ["cat", "dog"]),
        ("l.csv", 'file_name,label\na.jpg,"hat, red"\nb.jpg,shoe\nc.jpg,shoe\n', ["hat, red", "shoe"]),
        ("l.tsv", "Class Name\tcount\ncat\t3\ndog\t4\n", ["cat", "dog"]),
        ("l.jsonl", '{"label": "cat"}\n{"label": null}\n{"label": "dog"}\n', ["cat", "dog"]),
    ],
)
def test_a_file_is_read_by_its_kind(name, content, labels, tmp_path):
    (tmp_path / name).write_text(content)
    assert read_labels(str(tmp_path / name)) == labels


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("l.csv", "a,b\n1,2\n", "no label column. It has: a, b"),
        ("l.jsonl", '{"label": 3}\n', "holds 3, which is no text"),
        ("l.json", "[]", "no list of labels"),
        ("l.txt", "\n\n", "holds no labels"),
    ],
)
def test_a_file_without_labels_is_refused(name, content, said, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError, match=said):
        read_labels(str(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no labels"),
        (" , ,", "holds no labels"),
        ("cat,cat", "more than once: cat"),
        ("cat,dogs.txt", "looks like a file"),
        ('"cat,dog', "do not close round a whole label"),
        ('big "cat",dog', None),
    ],
)
def test_a_careless_list_is_refused_with_its_reason(text, said):
    if said is None:
        assert read_labels(text) == ['big "cat"', "dog"]
        return
    with pytest.raises(UsageError, match=said):
        read_labels(text)


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        read_labels(f"{tmp_path}/")
