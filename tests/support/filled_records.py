"""Records filled with vectors that no picture has."""

from pathlib import Path

import numpy as np

from lexel.library.store.changes import FileState, PhotoFacts
from lexel.library.store.records import STORED_DTYPE, Records


def unit_vectors(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """(count, dimensions) float16 of unit length, in clusters as photographs are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(max(1, count // 20), dimensions))
    vectors = centres[random.integers(len(centres), size=count)] + 0.7 * random.normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(STORED_DTYPE)


def filled(folder: Path, vectors: np.ndarray, fingerprint: str = "0011c0de") -> Records:
    """New records of photos with these vectors; open until closed."""
    records = Records.open(folder, create=True)
    with records.changing() as changes:
        changes.set_fact("dimensions", vectors.shape[1])
        changes.set_fact("fingerprint", fingerprint)
    put(records, vectors)
    return records


def put(records: Records, vectors: np.ndarray) -> list[int]:
    """Add photos with these vectors; their ids."""
    first = records.rows("SELECT count(*) FROM contents")[0][0]
    with records.changing() as changes:
        return [
            changes.add_file(
                f"/photos/{number % 10}/{number:07}.jpg",
                FileState(10, 20),
                changes.add_content(number.to_bytes(16), b"jpeg", vector.tobytes()),
                PhotoFacts(4, 3),
            )
            for number, vector in enumerate(vectors, start=first)
        ]
