"""Text for a terminal: control characters in names, captions and arguments are escaped before a person sees them.

A file name may hold control characters that make a terminal change its title, its colours or what it shows. The command
line puts `escaped_output` before both of its streams, so that whatever any verb prints passes through here. What draws
with control characters of its own (progress, previews) writes to the `unescaped` stream.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

# As JSON writes them, so that escaped JSON is the same JSON. Newlines and tabs are for the eye and stay.
_CODES = (*range(0x20), *range(0x7F, 0xA0))
_ONE_LINE = {code: f"\\u{code:04x}" for code in _CODES} | {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_ESCAPES = {code: escape for code, escape in _ONE_LINE.items() if chr(code) not in "\n\t"}


def escape_controls(text: str) -> str:
    """The text with its control characters written out, as \\u001b; newlines and tabs stay."""
    return text.translate(_ESCAPES)


def one_line(text: str) -> str:
    """The text with all its control characters written out, newlines and tabs too: what is printed within a line."""
    return text.translate(_ONE_LINE)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with what it counts: "1 photo", "1,200 photos"; with `many`, also "1 photo is" and "2 photos are"."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {many or one + 's'}"


@contextmanager
def escaped_output() -> Iterator[None]:
    """Within it, what is written to standard output and standard error is escaped."""
    before = sys.stdout, sys.stderr
    escaped: Any = [_EscapedStream(stream) for stream in before]  # a TextIO in all that is asked of one
    sys.stdout, sys.stderr = escaped
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def unescaped(stream: TextIO) -> TextIO:
    """The stream behind `escaped_output`, for code that escapes the names that it shows itself."""
    return stream.unescaped if isinstance(stream, _EscapedStream) else stream


class _EscapedStream:
    """Stands before a text stream and escapes what is written; bytes written to its `buffer` stay as they are."""

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        return self.unescaped.write(escape_controls(text))

    def writelines(self, lines: Iterable[str]) -> None:
        self.unescaped.writelines(map(escape_controls, lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)
