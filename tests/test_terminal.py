import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.terminal import counted, escape_controls, escaped_output, one_line, unescaped


@given(st.text())
def test_no_control_character_is_left_and_nothing_else_is_changed(text):
    line = one_line(text)
    assert not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in line)
    assert [letter for letter in escape_controls(text) if letter in "\n\t"] == [x for x in text if x in "\n\t"]
    if text.isprintable():
        assert line == text


def test_newlines_and_tabs_stay_but_within_a_line():
    assert escape_controls("a\tb\nc\rd\x1b[0m\x9b") == "a\tb\nc\\rd\\u001b[0m\\u009b"
    assert one_line("a\tb\nc") == "a\\tb\\nc"


@given(st.text())
def test_escaped_json_is_the_same_json(text):
    assert json.loads(escape_controls(json.dumps(text, ensure_ascii=False))) == text


def test_both_streams_are_escaped_and_put_back(capfd):
    before = sys.stdout, sys.stderr
    with escaped_output():
        print("out\x1b]0;title\x07")
        print("err\x1b[31m", file=sys.stderr)
        sys.stdout.writelines(["lines\x1b", "\n"])
        print("drawn\x1b[0m", file=unescaped(sys.stdout))
        print(end="", flush=True)
        sys.stdout.buffer.write(b"bytes\x1b\n")
    assert (sys.stdout, sys.stderr) == before
    written = capfd.readouterr()
    assert written.out == "out\\u001b]0;title\\u0007\nlines\\u001b\ndrawn\x1b[0m\nbytes\x1b\n"
    assert written.err == "err\\u001b[31m\n"


def test_the_streams_are_put_back_after_an_error():
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt), escaped_output():
        raise KeyboardInterrupt
    assert (sys.stdout, sys.stderr) == before


def test_one_thing_is_counted_in_the_singular():
    assert [counted(number, "photo") for number in (0, 1, 2, 1200)] == [
        "0 photos",
        "1 photo",
        "2 photos",
        "1,200 photos",
    ]
