"""Some items as a table of embeddings: what every Parquet file of a bulk embedding is made of.

Columns of pictures are `key`, `label`, `captions` and `embedding` (D float32, unit norm), those of texts `key`, `text`
and `embedding`; then come the other columns of the source's table. The metadata names the model and its fingerprint,
and what could not be embedded.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lexel.bulk.extra_columns import ExtraColumns
from lexel.bulk.items import BulkItem, TextRow
from lexel.data.pairs import Pair
from lexel.encoder import Encoder
from lexel.extras import missing_library
from lexel.unit_vectors import check_finite

if TYPE_CHECKING:
    import pyarrow as pa

UNREADABLE = b"lexel.unreadable"  # JSON, [[key, reason], …]
TRUNCATED = b"lexel.truncated"  # how many texts were longer than the context
NO_TEXT = "it has no text"


def need_pyarrow() -> None:
    """Raise UsageError where there is no pyarrow."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise missing_library("Writing Parquet", "pyarrow", error) from None


def embedding_table(
    encoder: Encoder,
    items: Sequence[BulkItem],
    what: str | None,
    extra_columns: ExtraColumns | None = None,
    facts: Mapping[str, str] | None = None,
) -> "pa.Table":
    """Embed what can be read of the items, in their order. `what` heads the progress; `facts` join the metadata.

    Raises ModelError where the model gives a vector that is not finite, with the item's key.
    """
    import pyarrow as pa

    texts = [item for item in items if isinstance(item, TextRow)]
    if texts:
        vectors, read, unreadable, truncated = _embed_texts(encoder, texts)
        columns = {"key": [row.key for row in read], "text": [row.text for row in read]}
        arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    else:
        pairs = [item for item in items if isinstance(item, Pair)]
        vectors, kept, bad = encoder.embed_readable([pair.picture for pair in pairs], what)
        read, truncated = [pairs[index] for index in kept], 0
        unreadable = [(pairs[index].key, reason) for index, reason in bad]
        arrays = {
            "key": pa.array([pair.key for pair in read], pa.string()),
            "label": pa.array([pair.label for pair in read], pa.string()),
            "captions": pa.array([list(pair.captions) for pair in read], pa.list_(pa.string())),
        }
    check_finite(vectors, [item.key for item in read], encoder.name)
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1), pa.float32())
    embedding = pa.FixedSizeListArray.from_arrays(flat, encoder.dimensions)
    extras = (extra_columns or ExtraColumns()).arrays(read)
    metadata = {
        "lexel.model": encoder.name,
        "lexel.fingerprint": encoder.fingerprint,
        UNREADABLE: json.dumps(unreadable),
        **({TRUNCATED: str(truncated)} if texts else {}),
        **(facts or {}),
    }
    return pa.table({**arrays, "embedding": embedding, **extras}, metadata=metadata)


def unreadable_in(metadata: Mapping[bytes, bytes]) -> list[tuple[str, str]]:
    """(key, reason) of what could not be embedded, as a table's metadata names it."""
    return [(key, reason) for key, reason in json.loads(metadata[UNREADABLE])]


def as_lines(unreadable: Sequence[tuple[str, str]]) -> str:
    """JSON, a line for each item that could not be embedded."""
    return "".join(json.dumps({"key": key, "reason": reason}) + "\n" for key, reason in unreadable)


def _embed_texts(
    encoder: Encoder, rows: Sequence[TextRow]
) -> tuple[np.ndarray, list[TextRow], list[tuple[str, str]], int]:
    """Unit vectors (K, D), the rows that they are of, the others with the reason, how many texts were cut."""
    read = [row for row in rows if row.text is not None]
    texts = [row.text for row in read if row.text is not None]
    vectors = encoder.embed_texts(texts) if texts else np.zeros((0, encoder.dimensions), np.float32)
    unreadable = [(row.key, NO_TEXT) for row in rows if row.text is None]
    return vectors, read, unreadable, encoder.count_truncated(texts) if texts else 0
