import contextlib

import pytest
from filled_records import filled, unit_vectors
from hypothesis import given
from hypothesis import strategies as st

from lexel.errors import UsageError
from lexel.library.search.filters import Filter, checked
from lexel.library.store.changes import FileState, PhotoFacts
from lexel.library.store.database import budget
from lexel.library.store.records import STORED_DTYPE


@pytest.fixture
def records(tmp_path):
    vector = unit_vectors(1, 8)[0].astype(STORED_DTYPE).tobytes()
    facts = [
        ("/a/one.jpg", PhotoFacts(40, 30, "2023-12-31T23:59:59", camera="Canon R5")),
        ("/a/b/two.jpg", PhotoFacts(30, 40, "2024-01-01T00:00:00", camera="Nikon")),
        ("/ab/three.jpg", PhotoFacts(10, 10)),
    ]
    with filled(tmp_path / "l.lexel", unit_vectors(0, 8)) as records:
        with records.changing() as changes:
            for number, (path, known) in enumerate(facts):
                content = changes.add_content(bytes([number]) * 16, b"jpeg", vector)
                changes.add_file(path, FileState(1, 1), content, known)
        records.set_tags({1: ["holiday"], 2: ["holidays"]})
        yield records


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, None),
        ({"where": "camera LIKE 'Canon%'"}, [1]),
        ({"where": "width > height OR camera IS NULL"}, [1, 3]),
        ({"where": "taken IS NULL -- a comment"}, [3]),
        ({"folder": "/a"}, [1, 2]),
        ({"folder": "/a/b/"}, [2]),
        ({"folder": "/"}, [1, 2, 3]),
        ({"after": "2024"}, [2]),
        ({"after": "2023-12", "before": "2024-1-1"}, [1]),
        ({"before": "2025"}, [1, 2]),
        ({"orientation": "square"}, [3]),
        ({"tag": "holiday"}, [1]),
        ({"least_side": 30, "where": "1 OR 1"}, [1, 2]),
    ],
)
def test_filters_let_through_what_they_say(records, asked, expected):
    found = Filter(**asked).ids(records)
    assert (found if found is None else found.tolist()) == expected


@pytest.mark.parametrize(
    ("asked", "count", "expected"),
    [({}, 9, [2, 1, 3]), ({}, 2, [2, 1]), ({"where": "width > 10"}, 1, [2]), ({"tag": "none"}, 9, [])],
)
def test_the_newest_come_first_and_those_without_a_date_last(records, asked, count, expected):
    assert Filter(**asked).newest(records, count).tolist() == expected


@pytest.mark.parametrize(("folder", "hint"), [("/a/c", '/a/b"?'), ("/elsewhere/of/old", "library stats")])
def test_a_folder_without_photos_of_the_library_is_told(records, folder, hint):
    with pytest.raises(UsageError, match=f"No photo of {records.folder} is below {folder}.") as refused:
        Filter(folder=folder).ids(records)
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    "condition",
    [
        "1); DELETE FROM files; --",
        "(SELECT count(*) FROM sqlite_master) > 0",
        "id IN (SELECT id FROM files)",
        "load_extension('x')",
        "randomblob(1000000000) = 1",
        "id = (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n)",
        "width >",
        "",
        "1) OR (1",
        "width > ?",
        "rowid = 3",
        "id = 1 LIMIT 1",
        "x'00\0'",
    ],
)
def test_what_is_no_condition_over_the_columns_is_refused(records, condition):
    with pytest.raises(UsageError, match="cannot be used"):
        Filter(where=condition).ids(records)


def test_an_unknown_column_is_named_with_the_one_that_was_meant():
    with pytest.raises(UsageError, match=r'no such column: widht\. Did you mean "width"'):
        checked("widht > 3")


@given(st.text(max_size=40))
def test_any_text_is_a_condition_or_a_sentence(text):
    with contextlib.suppress(UsageError):
        checked(text)


@pytest.mark.parametrize("day", ["yesterday", "2024-13", "2024-02-30", "20240101", ""])
def test_what_is_no_day_is_said(records, day):
    with pytest.raises(UsageError, match="is no day"):
        Filter(after=day).ids(records)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('"width" > 20', [1, 2]),
        ("\"Width\" > 20 AND camera = 'Nikon'", [2]),
        ("camera <> 'a \"camera\" of ''mine'''", [1, 2]),
        ('/* "no" column */ [width] > 20 -- "nor" here', [1, 2]),
        ("id IN (SELECT max(id) FROM photos)", [3]),
    ],
)
def test_double_quotes_hold_columns_and_single_ones_texts(records, condition, expected):
    assert Filter(where=condition).ids(records).tolist() == expected


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('"widht" > 3', r'no such column: widht\. Did you mean "width"'),
        ('camera = "Canon"', "no such column: Canon. A text stands in single quotes: 'Canon'"),
        ('"id"""=1', 'no such column: id"'),
    ],
)
def test_a_column_in_double_quotes_that_does_not_exist_is_no_text(records, condition, said):
    with pytest.raises(UsageError, match=said):
        Filter(where=condition).ids(records)


COPIES = ", ".join(f"photos p{number}" for number in range(18))


def grown(times: int) -> str:
    """A text of ten to this power characters."""
    text = "'a'"
    for _ in range(times):
        text = f"replace({text}, 'a', 'aaaaaaaaaa')"
    return text


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (f"(SELECT max(p0.id + p17.id) FROM {COPIES}) > 1", "takes more than 0.05 seconds"),
        (f"length({grown(9)}) > 1", "makes texts that are too long"),
        ("1 + " * 300 + "1", "Expression tree is too large"),
        ("1 OR " * 30_000 + "1", "too l"),
        ("name LIKE '" + "%a" * 600 + "'", "too complex"),
    ],
)
def test_a_condition_has_a_budget(records, monkeypatch, condition, said):
    monkeypatch.setattr(budget, "MAX_SECONDS", 0.05)
    with pytest.raises(UsageError, match=said) as refused:
        Filter(where=condition).ids(records)
    assert len(str(refused.value)) < 700


def test_a_condition_s_budget_is_no_other_query_s(records):
    assert Filter(where="width > 10").ids(records).tolist() == [1, 2]
    (sum_of_ids,) = records.rows("SELECT sum(a.id) FROM photos a, photos b WHERE length(" + grown(7) + ") > 1")[0]
    assert sum_of_ids == 18
