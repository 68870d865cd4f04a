"""A library as one Parquet file, for whatever else reads tables: every photo's facts and its vector."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexel.errors import UsageError
from lexel.extras import missing_library
from lexel.files import new_file
from lexel.library.store.database.paths import readable
from lexel.library.store.records import Photo, Records

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_GROUP = 8192


def export(records: Records, path: Path) -> int:
    """Write all photos to be searched into the Parquet file `path`; how many there were.

    Columns: the fields of `Photo`, `folder`, `name`, and `embedding` (D float32, unit norm). The file's metadata names
    the model and its fingerprint. Raises UsageError for a wrong path.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise missing_library("Writing Parquet", "pyarrow", error) from None
    if path.suffix != ".parquet" or path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"Cannot write {path}: give a file name that ends in .parquet, in a folder that is there.")
    facts = {
        "lexel.model": str(records.model or records.fact("model_name")),
        "lexel.fingerprint": records.fingerprint or "",
    }
    schema = _schema(pa, records.dimensions, facts)
    count = 0
    with new_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for table in _tables(records, schema):
            writer.write_table(table)
            count += len(table)
    return count


def _schema(pa, dimensions: int, facts: dict[str, str]) -> "pa.Schema":
    text, whole, real = pa.string(), pa.int64(), pa.float64()
    columns = {
        "id": whole,
        "path": text,
        "folder": text,
        "name": text,
        "size": whole,
        "modified": pa.timestamp("ns", "UTC"),
        "hash": text,
        "width": whole,
        "height": whole,
        "taken": text,
        "latitude": real,
        "longitude": real,
        "camera": text,
        "caption": text,
        "tags": pa.list_(text),
        "keywords": pa.list_(text),
        "description": text,
        "embedding": pa.list_(pa.float32(), dimensions),
    }
    return pa.schema(columns, metadata=facts)


def _tables(records: Records, schema: "pa.Schema") -> Iterator["pa.Table"]:
    import pyarrow as pa

    for ids, vectors in records.vector_blocks(ROWS_PER_GROUP):
        photos = records.photos(ids)
        columns = [[_cell(photo, name) for photo in photos] for name in schema.names[:-1]]
        flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1), pa.float32())
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=False)]
        embeddings = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        yield pa.Table.from_arrays([*arrays, embeddings], schema=schema)


def _cell(photo: Photo, name: str) -> object:
    if name == "modified":
        return photo.mtime_ns
    value = getattr(photo, name)
    if name in ("path", "folder", "name"):
        return readable(value)
    return list(value) if isinstance(value, tuple) else value
