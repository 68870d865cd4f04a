"""Writes the filtered source as a new folder: a table that points at the original files, and a record of dropped pairs.

    metadata.jsonl    file_name (relative to the folder), captions, label, and the other columns of the source's table;
                      metadata.parquet with the pictures inside, where they lie in no files of their own
    removed.jsonl     key, reason and detail of each pair that went, in the order of the source
    filter.json       the rules, the numbers, the model's fingerprint

The folder appears whole or not at all, and only where nothing was.
"""

import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lexel.curation.sources.filtering import FilteredSource
from lexel.curation.sources.rules import FilterRules
from lexel.data.pairs import ImageFile, Pair, content_of
from lexel.data.readers.tables.column_names import WEIGHTS_COLUMN
from lexel.errors import UsageError
from lexel.extras import missing_library
from lexel.files import new_folder, write_atomically
from lexel.progress import track
from lexel.version import __version__

TABLE, EMBEDDED_TABLE = "metadata.jsonl", "metadata.parquet"
REMOVED, RECORD = "removed.jsonl", "filter.json"
KIND = "lexel filtered source"  # by which the record is known
ROWS_AT_ONCE = 256  # of a table with pictures inside, that are held

_OWN_COLUMNS = ("file_name", "image", "captions", WEIGHTS_COLUMN, "label", "split", "key")


def check_new_output(path: Path) -> None:
    """Raise UsageError where there is something already, or no folder to make it in: called before long work."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is there already, and nothing is written over it. Name another, or remove it.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to make {path.name} in. Make it first, or name another.")


def write_filtered(outcome: FilteredSource, rules: FilterRules, out: Path) -> Path:
    """Write the folder, and return its table. Raises UsageError where something is there, OSError for a full disk."""
    check_new_output(out)
    in_files = all(isinstance(pair.picture, ImageFile) for pair in outcome.kept)
    with new_folder(out) as folder:
        if in_files:
            _write_table(folder / TABLE, outcome, Path(os.path.realpath(out.absolute().parent)) / out.name)
        else:
            _write_with_pictures(folder / EMBEDDED_TABLE, outcome)
        write_record(folder, outcome, rules)
    return out / (TABLE if in_files else EMBEDDED_TABLE)


def write_record(folder: Path, outcome: FilteredSource, rules: FilterRules) -> None:
    """Write what went and why, and the rules. Raises OSError."""
    removed = "".join(json.dumps(asdict(one)) + "\n" for one in outcome.removed)
    write_atomically(folder / REMOVED, removed)
    record = {
        "kind": KIND,
        "lexel_version": __version__,
        **outcome.to_json(),
        "split": outcome.source.split,
        "rules": rules.model_dump(mode="json", exclude_none=True),
    }
    write_atomically(folder / RECORD, json.dumps(record, indent=2) + "\n")


def _write_table(path: Path, outcome: FilteredSource, folder: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for pair, split in track(list(zip(outcome.kept, outcome.splits, strict=True)), f"Writing {folder.name}"):
            assert isinstance(pair.picture, ImageFile)
            name = Path(os.path.relpath(pair.picture.path.absolute(), folder)).as_posix()
            # Escaped: names that are no UTF-8 come through as they are.
            file.write(json.dumps({"file_name": name, **_texts(pair, split)}, default=str) + "\n")


def _write_with_pictures(path: Path, outcome: FilteredSource) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise missing_library("Writing pictures that lie in no files of their own", "pyarrow", error) from None
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("image", picture), ("captions", pa.list_(pa.string())), ("label", pa.string()), ("split", pa.string())]
    columns += [("key", pa.string()), ("others", pa.string())]
    if any(pair.caption_weights for pair in outcome.kept):
        columns.append((WEIGHTS_COLUMN, pa.list_(pa.float64())))
    schema = pa.schema(columns)
    with parquet.ParquetWriter(path, schema) as writer:
        kept = list(zip(outcome.kept, outcome.splits, strict=True))
        for rows in _in_parts(track(kept, f"Writing {path.parent.name.strip('.')}")):
            writer.write_table(pa.Table.from_pylist([_row(pair, split) for pair, split in rows], schema))


def _row(pair: Pair, split: str | None) -> dict[str, Any]:
    content = content_of(pair.picture)
    if content is None:  # drawn when it is needed
        file = io.BytesIO()
        pair.picture.load().save(file, "PNG")
        content = file.getvalue()
    texts = _texts(pair, split)
    others = {name: value for name, value in texts.items() if name not in _OWN_COLUMNS}
    row = {name: texts.get(name) for name in ("captions", WEIGHTS_COLUMN, "label", "split")}
    extras = json.dumps(others, default=str) if others else None
    return {"image": {"bytes": content, "path": None}, **row, "key": pair.key, "others": extras}


def _texts(pair: Pair, split: str | None) -> dict[str, Any]:
    """What is said of the picture: our columns, then those of its own table under their names, where they are free."""
    row: dict[str, Any] = {}
    if pair.captions:
        row["captions"] = list(pair.captions)
    if pair.caption_weights:
        row[WEIGHTS_COLUMN] = list(pair.caption_weights)
    if pair.label is not None:
        row["label"] = pair.label
    if split is not None:
        row["split"] = split
    extras: Mapping[str, Any] = pair.extras or {}
    for name, value in extras.items():
        if name == "split":
            row.setdefault("split", value)
        elif value is not None:
            row[f"original_{name}" if name in _OWN_COLUMNS else name] = value
    return row


def _in_parts(pairs: Iterator[tuple[Pair, str | None]]) -> Iterator[list[tuple[Pair, str | None]]]:
    part: list[tuple[Pair, str | None]] = []
    for pair in pairs:
        part.append(pair)
        if len(part) == ROWS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part
