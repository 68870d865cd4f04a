"""Bulk embedding into one file: the shards of `shards` in a hidden folder beside it, joined when all are there.

    OUT.parquet           written whole at the end, one row group a shard
    OUT.npy               where asked for: the same embeddings, row by row, for NumPy
    .OUT.parquet.parts/   while the work goes on; the same call again keeps the shards that still fit

A shard is kept while the model, its items and its picture files are the same, whatever became of the others.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexel.bulk.items import ItemSource
from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import EmbeddingPlan
from lexel.bulk.shards import lacking_shards, read_shards, shard_name, summed, write_shards
from lexel.bulk.table import as_lines, need_pyarrow
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError
from lexel.files import check_new_file, make_folder, new_file, write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_SHARD = 2048  # items: what is lost at most when the work is cut off
LOCK = ".lock"
KEPT_METADATA = (b"lexel.model", b"lexel.fingerprint")  # in the joined file


@dataclass(frozen=True)
class Embedded:
    """What a bulk embedding into one file did."""

    path: Path
    array: Path | None  # the .npy file
    kind: str  # "images" or "texts"
    images: int  # pictures, or texts, that were embedded
    unreadable: list[tuple[str, str]]  # (key, reason)
    truncated: int  # texts longer than the model reads
    dimensions: int

    @property
    def bad_images(self) -> Path:
        """The file that names what could not be embedded, when there is anything."""
        return _bad_images(self.path)


def embed_source(encoder: Encoder, source: ItemSource, path: Path, *, npy: bool = False) -> Embedded:
    """Embed a source into the Parquet file `path`, or go on where an earlier call was cut off.

    With `npy` the embeddings are also written as one array (N, D) float32, beside it and in the order of its rows.
    Raises UsageError for a wrong path, DataError when nothing can be read, ModelError for a model that gives vectors
    that are not finite.

    Example: `embed_source(encoder, read_source("photos/", text_required=False), Path("photos.parquet"))`
    """
    _check(path)
    parts = path.with_name(f".{path.name}.parts")
    with _only_worker(parts, path):
        return _embed_and_join(encoder, source, parts, path, npy)


def _embed_and_join(encoder: Encoder, source: ItemSource, parts: Path, path: Path, npy: bool) -> Embedded:
    folder = OutputFolder.open(str(parts))
    plan = EmbeddingPlan.of(encoder, source, ROWS_PER_SHARD)
    numbers = range(plan.shards)
    write_shards(encoder, plan, source, folder, lacking_shards(plan, source, folder, numbers, any_plan=True))
    shards = read_shards(folder, map(shard_name, numbers))
    if len(shards) < plan.shards:
        raise DataError(f"{parts} is damaged while it is written to. Delete it and give the same command again.")
    unreadable = [bad for shard in shards for bad in shard.unreadable]
    try:
        done = summed(plan, shards)
    except DataError:
        shutil.rmtree(parts)
        raise
    array = path.with_suffix(".npy") if npy else None
    files = [parts / shard.file for shard in shards]
    if array:
        _join_array(files, array, (done.images, encoder.dimensions))
    _join(files, path)
    _name_bad_images(unreadable, _bad_images(path))
    shutil.rmtree(parts)
    return Embedded(path, array, plan.kind, done.images, unreadable, done.truncated, encoder.dimensions)


@contextmanager
def _only_worker(parts: Path, path: Path) -> Iterator[None]:
    """Keep other processes out of the folder of shards, which goes at the end; a killed one's lock is gone with it.

    Raises UsageError where another process has it.
    """
    make_folder(parts)
    with open(parts / LOCK, "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"Another process is embedding into {path}. Wait for it, or give another --output."
            ) from None
        if not (parts / LOCK).exists():  # the other one has just ended and taken the folder away
            raise UsageError(f"Another process has just finished {path}. To make it again, give the same command.")
        yield


def _check(path: Path) -> None:
    need_pyarrow()
    if path.suffix != ".parquet":
        raise UsageError(
            f"Embeddings are written as Parquet: give --output a name that ends in .parquet or .npy, not {path.name},\n"
            f"or for many files a folder: {path.name}/"
        )
    for name in (path, path.with_suffix(".npy")):
        check_new_file(name)


def _join(files: list[Path], path: Path) -> None:
    """One Parquet file of all shards."""
    import pyarrow.parquet as pq

    with new_file(path) as temporary:
        tables = _tables(files)
        first = next(tables)
        with pq.ParquetWriter(temporary, first.schema) as writer:
            writer.write_table(first)
            for table in tables:  # one at a time: all together may not fit into memory
                writer.write_table(table)


def _join_array(files: list[Path], path: Path, shape: tuple[int, int]) -> None:
    """The embeddings of all shards as one array (N, D) float32."""
    with new_file(path) as temporary, temporary.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype("<f4")), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for table in _tables(files):
            flat = table["embedding"].combine_chunks().flatten().to_numpy()
            file.write(flat.astype("<f4", copy=False).tobytes())


def _tables(files: list[Path]) -> "Iterator[pa.Table]":
    import pyarrow.parquet as pq

    for file in files:
        table = pq.read_table(file)
        metadata = table.schema.metadata
        yield table.replace_schema_metadata({name: metadata[name] for name in KEPT_METADATA})


def _bad_images(path: Path) -> Path:
    return path.with_name(f"{path.name}.bad-images.jsonl")


def _name_bad_images(unreadable: list[tuple[str, str]], path: Path) -> None:
    """One line for each; without any, what an earlier call left is taken away."""
    if not unreadable:
        path.unlink(missing_ok=True)
        return
    write_atomically(path, as_lines(unreadable))
