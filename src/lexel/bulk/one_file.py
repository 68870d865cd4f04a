"""Bulk embedding of a source into one Parquet file, in parts that survive being cut off.

Beside OUT.parquet stands OUT.parquet.parts/ while the work goes on: one small Parquet file for every part of the
source, written whole or not at all, with its unreadable pictures named in its metadata. The same call again skips the
parts that are there; when all are, they become OUT.parquet, one row group each.

For many files instead, written by many machines, there is `parts`.
"""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from lexel.bulk.table import UNREADABLE, as_lines, embedding_table, need_pyarrow, unreadable_in
from lexel.data.pairs import ImageFile, Pair, Source
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError
from lexel.files import check_new_file, make_folder, new_file, write_atomically
from lexel.progress import say

if TYPE_CHECKING:
    import pyarrow as pa

PART = 2048  # pairs


@dataclass(frozen=True)
class Embedded:
    """What a bulk embedding did."""

    path: Path
    images: int
    unreadable: list[tuple[str, str]]  # (key, reason)
    dimensions: int

    @property
    def bad_images(self) -> Path:
        """The file that names the unreadable pictures, when there are any."""
        return _bad_images(self.path)


def embed_source(encoder: Encoder, source: Source, path: Path) -> Embedded:
    """Embed every picture of `source` into the Parquet file `path`, or go on where an earlier call was cut off.

    Raises UsageError for a wrong path and DataError when not one picture can be read.
    """
    _check(path)
    parts = path.with_name(f"{path.name}.parts")
    make_folder(parts)
    pieces = [source.pairs[start : start + PART] for start in range(0, len(source.pairs), PART)]
    files = [parts / f"{number:06}-{_identity(encoder, piece)}.parquet" for number, piece in enumerate(pieces)]
    if there := sum(file.exists() for file in files):
        say(f"{there} of {len(files)} parts are there already and are kept.")
    for number, (piece, file) in enumerate(zip(pieces, files, strict=True), start=1):
        if not file.exists():
            what = f"Embedding part {number} of {len(pieces)}" if len(pieces) > 1 else "Embedding"
            _write([embedding_table(encoder, piece, what)], file)
    unreadable = [bad for file in files for bad in unreadable_in(_metadata(file))]
    if len(unreadable) == len(source.pairs):
        shutil.rmtree(parts)
        key, reason = unreadable[0]
        raise DataError(f"{source.name}: none of its {len(unreadable):,} images could be read.\n  {key}: {reason}")
    _write(map(_read, files), path)
    _name_bad_images(unreadable, _bad_images(path))
    shutil.rmtree(parts)
    return Embedded(path, len(source.pairs) - len(unreadable), unreadable, encoder.dimensions)


def _check(path: Path) -> None:
    need_pyarrow()
    if path.suffix != ".parquet":
        raise UsageError(
            f"Embeddings are written as Parquet: give --output a name that ends in .parquet, not {path.name},\n"
            f"or for many files a folder: {path.name}/"
        )
    check_new_file(path)


def _identity(encoder: Encoder, piece: Sequence[Pair]) -> str:
    """A part is kept only for the same model, pictures and texts; a file is the same while its size and time are."""
    digest = hashlib.blake2b(encoder.fingerprint.encode(), digest_size=6)
    for pair in piece:
        digest.update(repr(pair).encode())
        if isinstance(pair.picture, ImageFile) and pair.picture.path.exists():
            state = pair.picture.path.stat()
            digest.update(f"{state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()


def _write(tables: Iterable["pa.Table"], path: Path) -> None:
    import pyarrow.parquet as pq

    tables = iter(tables)
    first = next(tables)
    with new_file(path) as temporary, pq.ParquetWriter(temporary, first.schema) as writer:
        for table in chain([first], tables):  # one at a time: all together may not fit into memory
            writer.write_table(table)


def _read(part: Path) -> "pa.Table":
    import pyarrow.parquet as pq

    table = pq.read_table(part)
    return table.replace_schema_metadata({name: value for name, value in _metadata(part).items() if name != UNREADABLE})


def _metadata(part: Path) -> dict[bytes, bytes]:
    import pyarrow.parquet as pq

    return pq.read_schema(part).metadata


def _bad_images(path: Path) -> Path:
    return path.with_name(f"{path.name}.bad-images.jsonl")


def _name_bad_images(unreadable: Sequence[tuple[str, str]], path: Path) -> None:
    """One line for each; without any, what an earlier call left is taken away."""
    if not unreadable:
        path.unlink(missing_ok=True)
        return
    write_atomically(path, as_lines(unreadable))
