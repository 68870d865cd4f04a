"""The text in one value of a table: a caption or a label, nothing where the value is missing, or an error.

A caption is a string, or the string field of an object (`{"raw": "A child …", "tokens": […]}`), or a list of these.
A number, a list of tokens and any other object never become text by `str()`: a model would learn the printed Python
value. Raises NotTextError, which says what the value is; the caller adds where it stands.
"""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from lexel.data.pairs import TableImage

# What pandas, spreadsheets and databases leave in a cell without a value: the list that pandas reads as missing.
MISSING_VALUES = frozenset(
    (
        *("nan", "NaN", "NAN", "-nan", "-NaN", "None", "none", "null", "NULL", "Null", "<NA>", "NA", "N/A", "n/a"),
        *("#N/A", "#N/A N/A", "#NA", "#NULL!", "NaT", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "undefined"),
    )
)
# "none", "NA" and the like may be the name of a class, and they are its only text.
MISSING_LABELS = MISSING_VALUES - {"None", "none", "Null", "NA", "N/A", "n/a", "undefined"}

# The fields of an object that hold its text, in order of preference.
TEXT_FIELDS = (
    *("raw", "caption", "text", "sentence", "title", "description", "phrase", "alt_text", "alt", "comment", "prompt"),
    *("raw_caption", "caption_text", "string", "content", "captions", "texts", "sentences"),
)
LABEL_FIELDS = ("name", "label", "class_name", "class", "category", "text")

MAX_CAPTION_CHARACTERS = 32_768  # a longer one is cut: some 8,000 tokens, of which no text tower reads more than some
_SHOWN = 60  # characters of a value in a message


class NotTextError(Exception):
    """A value that is no text; the message says what it is."""


def captions_in(value: Any, missing: Counter[str], *, typed: bool) -> list[str]:
    """The captions in a value, stripped, in order. `missing` counts the missing values that are written as a word.

    With `typed=False` (delimited text, where every value is a string) a string that is a list or an object as JSON or
    Python writes it is read as that.

        captions_in({"raw": "A dog .", "tokens": ["a", "dog"]}, Counter(), typed=True)  →  ["A dog ."]
    """
    if isinstance(value, str) and not typed:
        value = _parsed(value)
    items = value if isinstance(value, list | tuple) else [value]
    return list(_known(items, missing))


def weights_in(value: Any, captions: int, *, typed: bool = True) -> tuple[float, ...] | None:
    """How often each of so many captions is drawn, none where nothing is said; None where the value says no such thing.

    weights_in([0.7, 0.3], 2)  →  (0.7, 0.3)
    """
    if isinstance(value, str) and not typed:
        value = _parsed(value) or None
    if _is_nothing(value):
        return ()
    if not isinstance(value, list | tuple) or len(value) != captions:
        return None
    numbers = [weight for weight in value if isinstance(weight, int | float) and not isinstance(weight, bool)]
    fit = len(numbers) == captions and all(0 < weight < float("inf") for weight in numbers)
    return tuple(map(float, numbers)) if fit else None


def label_in(value: Any, missing: Counter[str]) -> str | None:
    """The label in a value: a name, or the number of a class; None where it is missing."""
    if _is_nothing(value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))  # pandas turns 7 into 7.0 where another row has no label
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, (label_in(item, missing) for item in value))) or None
    text = _field(value, LABEL_FIELDS) if isinstance(value, dict) else value
    if isinstance(value, dict) and not isinstance(text, dict | list):
        return label_in(text, missing)
    if not isinstance(text, str):
        raise NotTextError(describe(value))
    return _unless_missing(text, MISSING_LABELS, missing)


def path_text(value: Any) -> str:
    """The path in a value of a table, empty where there is none: a text, a number, or Hugging Face's `{path}`."""
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, bool):
        return ""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))  # 42 for 000042.jpg
    return value.strip() if isinstance(value, str) and not is_missing_word(value) else ""


def is_embedded(value: Any) -> bool:
    """Whether a value is a picture itself, as Hugging Face's tables hold them."""
    return isinstance(value, bytes | TableImage) or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes))


def is_missing_word(text: str) -> bool:
    """Whether a string stands for a missing value: "nan", "None", "#N/A", …"""
    return text.strip() in MISSING_VALUES


def describe(value: Any) -> str:
    """What a value is, for a message: `a number, 7`."""
    kinds = {bool: "a truth value", int: "a number", float: "a number", dict: "an object", list: "a list"}
    kind = kinds.get(type(value), f"a {type(value).__name__}")
    written = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else repr(value)
    return f"{kind}, {written if len(written) <= _SHOWN else written[: _SHOWN - 2] + ' …'}"


def _known(items: Iterable[Any], missing: Counter[str]) -> Iterator[str]:
    for item in items:
        text = _text(item)
        if isinstance(text, list):  # an object's own list of strings
            yield from _known(text, missing)
        elif text is not None and (known := _unless_missing(text, MISSING_VALUES, missing)):
            yield known


def _text(item: Any) -> str | list[str] | None:
    if isinstance(item, str) or _is_nothing(item):
        return item if isinstance(item, str) else None
    if isinstance(item, bytes):
        return _decoded(item)
    if not isinstance(item, dict):
        raise NotTextError(describe(item))
    field = _field(item, TEXT_FIELDS)
    if _is_nothing(field) or isinstance(field, str):
        return field if isinstance(field, str) else None
    if isinstance(field, list) and all(isinstance(part, str) for part in field):
        return field
    raise NotTextError(describe(item))


def _field(item: dict[Any, Any], names: Iterable[str]) -> Any:
    for name in names:
        if name in item:
            return item[name]
    raise NotTextError(f"{describe(item)}, which has no field {', '.join(list(names)[:4])} or the like")


def _unless_missing(text: str, words: frozenset[str], missing: Counter[str]) -> str | None:
    text = text.strip()
    if text not in words:
        return text or None
    missing[text] += 1
    return None


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NotTextError(describe(content)) from None


def _parsed(text: str) -> Any:
    """The list or object that a field of delimited text holds, as JSON or Python writes it, or else the text itself."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(value, list) or (isinstance(value, dict) and value):
            return value
    return text
