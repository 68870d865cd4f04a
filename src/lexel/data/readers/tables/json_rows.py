"""Tables as JSON: one object a line, or one file with a list of objects, a column of each, or COCO's captions."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from lexel.data.readers.text import decode_text
from lexel.errors import DataError

Columns = dict[str, list[Any]]


def read_json_lines(content: bytes, name: str, encoding: str | None = None) -> tuple[Columns, list[int], str]:
    """The columns of JSON lines, the line of each row, the encoding. Raises DataError for a line that is no object."""
    text, encoding = decode_text(content, encoding)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = [_parse_line(line, f"{name}, line {number}") for number, line in lines]
    return _columns(rows), [number for number, _ in lines], encoding


def read_json(content: bytes, name: str, encoding: str | None = None) -> tuple[Columns, str]:
    """The columns of a JSON file, and its encoding. Raises DataError where it holds no table.

    It is a list of objects; or an object with one list of objects among its fields, as Karpathy's `dataset_coco.json`
    (`{"images": [{"filename": …, "sentences": […]}, …], "dataset": …}`); or COCO's `images` and `annotations`; or an
    object with a column in each field, as pandas writes it.
    """
    text, encoding = decode_text(content, encoding)
    value = _parse(text, name)
    lists = {field: part for field, part in value.items() if _is_rows(part)} if isinstance(value, dict) else {}
    if isinstance(value, list) and _is_rows(value):
        columns = _columns(value)
    elif set(lists) >= {"images", "annotations"}:
        columns = _coco(lists["images"], lists["annotations"], name)
    elif len(lists) == 1:
        columns = _columns(next(iter(lists.values())))
    elif isinstance(value, dict) and (found := _by_column(value)):
        columns = found
    else:
        raise DataError(f"{name} holds no table: give a list of objects, [{{…}}, {{…}}], one for each image.")
    return columns, encoding


def _parse_line(line: str, place: str) -> dict[str, Any]:
    row = _parse(line, place, "\n  Each line must be one object, {…}.")
    if not isinstance(row, dict):
        raise DataError(f"{place}: not an object but {type(row).__name__}.\n  Each line must be one object, {{…}}.")
    return row


def _parse(text: str, place: str, advice: str = "") -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise DataError(f"{place}: not JSON that can be read (nested too deep).{advice}") from None
    except ValueError as error:
        raise DataError(f"{place}: not JSON ({error}).{advice}") from None


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _columns(rows: Sequence[dict[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _coco(images: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]], name: str) -> Columns:
    """One row for each caption; images without one keep a row."""
    if not all("caption" in annotation for annotation in annotations):
        raise DataError(
            f"{name} has COCO's layout without captions: its annotations are boxes or the like.\n"
            "  COCO's captions are in captions_train2017.json and captions_val2017.json."
        )
    captions: dict[Any, list[Any]] = {image.get("id"): [] for image in images}
    for annotation in annotations:
        _append(captions, annotation)
    files = [image.get("file_name") for image in images]
    return {"file_name": files, "captions": [captions[image.get("id")] for image in images]}


def _append(captions: dict[Any, list[Any]], annotation: dict[str, Any]) -> None:
    captions.get(annotation.get("image_id"), []).append(annotation["caption"])


def _by_column(value: dict[str, Any]) -> Columns | None:
    """Columns as lists, or as objects from row number to value."""
    parts: Iterable[Any] = value.values()
    if not value or not all(isinstance(part, dict | list) for part in parts):
        return None
    columns = {name: list(part.values()) if isinstance(part, dict) else part for name, part in value.items()}
    return columns if len({len(column) for column in columns.values()}) == 1 else None
