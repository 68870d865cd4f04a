"""A faulty row of a delimited table is named and left out; all others stay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexel.data.readers.tables.delimited import MAX_LINE_LENGTH, read_delimited
from lexel.errors import DataError

ROWS = 40


def table(**faulty: str) -> bytes:
    """Forty rows of which some are replaced, by number."""
    rows = [faulty.get(f"row_{number}", f"{number}.png,a thing called {number}") for number in range(ROWS)]
    return ("file_name,caption\n" + "\n".join(rows) + "\n").encode()


def test_two_loose_quotation_marks_cost_their_own_rows_only():
    found = read_delimited(table(row_5='5.png,"a 5 inch thing', row_30='30.png,a closed thing"'), "t.csv")
    assert list(found.columns["file_name"]) == [f"{n}.png" for n in range(ROWS) if n != 5]
    assert found.notes == ["1 of 40 rows left out as faulty: line 7, a quotation mark is not closed"]


def test_a_stray_inch_mark_costs_one_row_and_its_line_is_named():
    found = read_delimited(table(row_9='9.png,"24" screen"'), "t.csv")
    assert len(found.lines) == ROWS - 1
    assert found.notes == ["1 of 40 rows left out as faulty: line 11, a quotation mark is not closed"]
    within = read_delimited(table(row_9='9.png,a 24" screen'), "t.csv")
    assert within.columns["caption"][9] == 'a 24" screen'


def test_captions_of_several_lines_stay_whole_beside_a_faulty_row():
    found = read_delimited(table(row_3='3.png,"two\nlines, both"', row_9='9.png,"open'), "t.csv")
    assert found.columns["caption"][3] == "two\nlines, both"
    assert len(found.lines) == ROWS - 1


@settings(deadline=None)
@given(
    faulty=st.dictionaries(
        st.integers(0, ROWS - 1), st.sampled_from(['"open', 'end"', '"24" x"', 'a 5" pipe', '"a, b', '""']), max_size=4
    )
)
def test_no_whole_row_is_ever_lost(faulty):
    content = table(**{f"row_{number}": f"{number}.png,{caption}" for number, caption in faulty.items()})
    found = read_delimited(content, "t.csv")
    expected = {f"{number}.png": f"a thing called {number}" for number in range(ROWS) if number not in faulty}
    assert expected.items() <= dict(zip(*found.columns.values(), strict=True)).items()


def test_a_row_that_swallowed_lines_without_image_names_is_mentioned():
    rows = "\n".join(
        f"{n},{'thing' if n not in (3, 30) else chr(34) + 'thing' if n == 3 else 'thing' + chr(34)}" for n in range(40)
    )
    found = read_delimited(f"id,caption\n{rows}\n".encode(), "t.csv")
    assert "one row holds lines 5 to 32: look at its quotation marks" in found.notes


def test_one_endless_line_is_refused():
    with pytest.raises(DataError, match=r"line 2: 1,000,006 characters without a line break"):
        read_delimited(b"file,caption\n0.png," + b"a" * MAX_LINE_LENGTH, "t.csv")


@settings(deadline=None)
@given(content=st.binary(max_size=200) | st.text('",;\n\r\t|ab.png', max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(content):
    try:
        found = read_delimited(content, "t.csv")
    except DataError:
        return
    assert all(len(column) == len(found.lines) for column in found.columns.values())
