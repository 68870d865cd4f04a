"""Some pairs of a source as a table of embeddings: what every Parquet file of a bulk embedding is made of.

Columns: `key`, `label`, `captions`, and `embedding` (D float32, unit norm). The metadata names the model and its
fingerprint, and the pictures that could not be read.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.pairs import Pair
from lexel.encoder import Encoder
from lexel.extras import missing_library

if TYPE_CHECKING:
    import pyarrow as pa

UNREADABLE = b"lexel.unreadable"  # JSON, [[key, reason], …]


def need_pyarrow() -> None:
    """Raise UsageError where there is no pyarrow."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise missing_library("Writing Parquet", "pyarrow", error) from None


def embedding_table(
    encoder: Encoder, pairs: Sequence[Pair], what: str | None, facts: Mapping[str, str] | None = None
) -> "pa.Table":
    """Embed what can be read of the pairs, in their order. `what` heads the progress; `facts` join the metadata."""
    import pyarrow as pa

    vectors, kept, bad = encoder.embed_readable([pair.picture for pair in pairs], what)
    read = [pairs[index] for index in kept]
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    return pa.table(
        {
            "key": pa.array([pair.key for pair in read], pa.string()),
            "label": pa.array([pair.label for pair in read], pa.string()),
            "captions": pa.array([list(pair.captions) for pair in read], pa.list_(pa.string())),
            "embedding": pa.FixedSizeListArray.from_arrays(flat, encoder.dimensions),
        },
        metadata={
            "lexel.model": encoder.name,
            "lexel.fingerprint": encoder.fingerprint,
            UNREADABLE: json.dumps([(pairs[index].key, reason) for index, reason in bad]),
            **(facts or {}),
        },
    )


def unreadable_in(metadata: Mapping[bytes, bytes]) -> list[tuple[str, str]]:
    """(key, reason) of the pictures that a table's metadata names."""
    return [(key, reason) for key, reason in json.loads(metadata[UNREADABLE])]


def as_lines(unreadable: Sequence[tuple[str, str]]) -> str:
    """JSON, a line for each picture that could not be read."""
    return "".join(json.dumps({"key": key, "reason": reason}) + "\n" for key, reason in unreadable)
