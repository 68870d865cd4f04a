"""Sentences in a text file, one a line: what a captioner learns from where there are no pictures."""

from pathlib import Path

from lexel.errors import DataError, UsageError


def read_sentences(source: str) -> list[str] | None:
    """The lines of a .txt file without blank ones; None where `source` names something else.

    Raises UsageError where there is no such file, DataError for one that holds no text in UTF-8.
    """
    path = Path(source).expanduser()
    if path.suffix.lower() != ".txt":
        return None
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not in UTF-8: {error.reason} at byte {error.start:,}. Save it again as UTF-8."
        ) from None
    if not lines:
        raise DataError(f"{path} is empty: it holds no sentence to learn from.")
    return lines
