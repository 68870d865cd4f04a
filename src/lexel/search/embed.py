"""Bulk embedding of a source into one Parquet file, in parts that survive being cut off.

Beside OUT.parquet stands OUT.parquet.parts/ while the work goes on: one small Parquet file for every part of the
source, written whole or not at all. The same call again skips the parts that are there; when all are, they become
OUT.parquet.

Columns: `key`, `label`, `captions`, and `embedding` (D float32, unit norm). The file's metadata names the model and its
fingerprint.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.bad_images import BadImages
from lexel.data.pairs import Pair, Source
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.files import write_atomically
from lexel.progress import say

if TYPE_CHECKING:
    import pyarrow as pa

PART = 2048  # pairs


@dataclass(frozen=True)
class Embedded:
    """What a bulk embedding did."""

    path: Path
    images: int
    skipped: int  # of them could not be read; OUT.bad-images.jsonl names them
    dimensions: int


def embed_source(encoder: Encoder, source: Source, path: Path) -> Embedded:
    """Embed every picture of `source` into the Parquet file `path`. Raises UsageError for a wrong path."""
    _check(path)
    parts = path.with_name(f"{path.name}.parts")
    parts.mkdir(parents=True, exist_ok=True)
    bad_images = BadImages(path.with_name(f"{path.name}.bad-images.jsonl"))
    pieces = [source.pairs[start : start + PART] for start in range(0, len(source.pairs), PART)]
    files = [parts / f"{number:06}-{_identity(encoder, piece)}.parquet" for number, piece in enumerate(pieces)]
    if there := sum(file.exists() for file in files):
        say(f"{there} of {len(files)} parts are there already and are kept.")
    for number, (piece, file) in enumerate(zip(pieces, files, strict=True), start=1):
        if not file.exists():
            what = f"Embedding part {number} of {len(pieces)}" if len(pieces) > 1 else "Embedding"
            write_atomically(file, _to_bytes(_embed(encoder, piece, what, bad_images)))
    table = _join(files)
    write_atomically(path, _to_bytes(table))
    shutil.rmtree(parts)
    return Embedded(path, table.num_rows, len(source.pairs) - table.num_rows, encoder.dimensions)


def _check(path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise UsageError('Writing Parquet needs pyarrow: pip install "lexel[data]"') from None
    if path.suffix != ".parquet":
        raise UsageError(
            f"Embeddings are written as Parquet: give --output a name that ends in .parquet, not {path.name}."
        )
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give --output the name of a file.")


def _identity(encoder: Encoder, piece: Sequence[Pair]) -> str:
    """A part is kept only for the same model and the same pictures."""
    digest = hashlib.blake2b(encoder.fingerprint.encode(), digest_size=6)
    for pair in piece:
        digest.update(f"\0{pair.key}".encode())
    return digest.hexdigest()


def _embed(encoder: Encoder, piece: Sequence[Pair], what: str, bad_images: BadImages) -> "pa.Table":
    import pyarrow as pa

    vectors, kept, bad = encoder.embed_readable([pair.picture for pair in piece], what)
    for index, reason in bad:
        bad_images.add(piece[index].key, reason)
    pairs = [piece[index] for index in kept]
    width = encoder.dimensions
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    return pa.table(
        {
            "key": pa.array([pair.key for pair in pairs], pa.string()),
            "label": pa.array([pair.label for pair in pairs], pa.string()),
            "captions": pa.array([list(pair.captions) for pair in pairs], pa.list_(pa.string())),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, width),
        },
        metadata={"lexel.model": encoder.name, "lexel.fingerprint": encoder.fingerprint},
    )


def _join(files: list[Path]) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa.concat_tables([pq.read_table(file) for file in files])


def _to_bytes(table: "pa.Table") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()
