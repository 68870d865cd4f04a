"""The files in which a library keeps its index: a cache, thrown away whenever it does not fit the records.

`vectors.json` names the two files of one generation, `vectors-….faiss` (codes) and `vectors-….npy` (the photos' ids),
with their sizes and checksums. It is written last and replaced whole, so that what it names is complete.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lexel.files import new_file, remove_unfinished, write_atomically
from lexel.identity import sha256_of
from lexel.library.index.codes import CodeIndex, read_index, write_index

INDEX_FORMAT = 2
STAMP_NAME = "vectors.json"
CHECKED_END_BYTES = 1 << 20  # at each end of a file, whenever it is opened
MAX_BYTES_CHECKED_WHOLE = (
    64 << 20
)  # of a file; larger ones take as long as a search, so `intact` alone checks them whole


@dataclass(frozen=True)
class Stamp:
    """What is said of the cache in `vectors.json`."""

    format: int
    generation: int  # of the records that it was built from
    fingerprint: str
    count: int
    dimensions: int
    probes: int
    files: dict[str, dict[str, str | int]]  # name → size, sha256, and sha256 of the ends


@dataclass(frozen=True)
class Cached:
    """An index with the ids of its photos, as they were at a generation of the records."""

    index: CodeIndex
    ids: np.ndarray  # (N,) int64, ascending; by position in the index
    generation: int


def read_cache(folder: Path, fingerprint: str, dimensions: int) -> Cached | None:
    """The cache of these vectors, or None when it is missing, damaged or another model's."""
    stamp = _read_stamp(folder)
    if stamp is None or (stamp.fingerprint, stamp.dimensions) != (fingerprint, dimensions):
        return None
    try:
        if not all(_fits(folder / name, facts) for name, facts in stamp.files.items()):
            return None
        codes, ids = sorted(stamp.files)
        cached = Cached(
            read_index(folder / codes, stamp.probes),
            np.load(folder / ids, mmap_mode="r", allow_pickle=False),
            stamp.generation,
        )
    except (OSError, ValueError, RuntimeError):
        return None
    sound = cached.index.codes.ntotal == len(cached.ids) == stamp.count and cached.index.codes.d == dimensions
    return cached if sound else None


def write_cache(folder: Path, cached: Cached, fingerprint: str) -> None:
    """Write the cache whole or leave the old one. Raises OSError when the disk is full for example, or RuntimeError."""
    stem = f"vectors-{cached.generation:08}-{fingerprint[:8]}"
    codes, ids = folder / f"{stem}.faiss", folder / f"{stem}.npy"
    with new_file(codes) as temporary:
        write_index(cached.index, temporary)
    with new_file(ids) as temporary, open(temporary, "wb") as file:
        np.save(file, cached.ids)
    stamp = Stamp(
        format=INDEX_FORMAT,
        generation=cached.generation,
        fingerprint=fingerprint,
        count=len(cached.ids),
        dimensions=cached.index.codes.d,
        probes=cached.index.probes,
        files={path.name: _facts(path) for path in (codes, ids)},
    )
    write_atomically(folder / STAMP_NAME, json.dumps(asdict(stamp), indent=2) + "\n")
    for old in folder.glob("vectors-*"):
        if old.name not in stamp.files:
            old.unlink(missing_ok=True)


def clear_unfinished(folder: Path) -> None:
    """Remove what a killed process left half written; for the library's only writer."""
    remove_unfinished(folder)


def intact(folder: Path) -> bool:
    """Whether the cache's files are, byte for byte, those that were written. Reads them whole."""
    stamp = _read_stamp(folder)
    return stamp is not None and all(
        (folder / name).is_file() and sha256_of(folder / name) == facts["sha256"] for name, facts in stamp.files.items()
    )


def _read_stamp(folder: Path) -> Stamp | None:
    try:
        stamp = Stamp(**json.loads((folder / STAMP_NAME).read_text(encoding="utf-8")))
        names = sorted(stamp.files)
        named = [Path(name).suffix for name in names] == [".faiss", ".npy"] and all("/" not in name for name in names)
        return stamp if stamp.format == INDEX_FORMAT and named else None
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _facts(path: Path) -> dict[str, str | int]:
    return {"size": path.stat().st_size, "sha256": sha256_of(path), "ends": _sha256_of_ends(path)}


def _fits(path: Path, facts: dict[str, str | int]) -> bool:
    size = path.stat().st_size
    if size != facts["size"]:
        return False
    return (
        sha256_of(path) == facts["sha256"]
        if size <= MAX_BYTES_CHECKED_WHOLE
        else _sha256_of_ends(path) == facts["ends"]
    )


def _sha256_of_ends(path: Path) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read(CHECKED_END_BYTES))
        file.seek(max(0, path.stat().st_size - CHECKED_END_BYTES))
        digest.update(file.read(CHECKED_END_BYTES))
    return digest.hexdigest()
