"""Embeddings kept between evaluations, so that the same model and pictures need not be embedded again.

One safetensors file an entry, named by a digest of all that the vectors depend on: the weights, the runtime and its
number format, preprocessing, and each picture's content (or its path, size and time of change). What has been used
least recently goes first. Nothing ever fails because of the cache: a damaged entry counts as absent, and where nothing
can be written nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from lexel.data.pairs import EmbeddedImage, ImageFile, Picture, ShardImage, TableImage
from lexel.data.scenes import Scene
from lexel.errors import LexelError
from lexel.evaluation.pictures.cropped import CroppedPicture
from lexel.evaluation.pictures.digits import CellDigit, PrintedDigit
from lexel.evaluation.pictures.drawn_twins import DrawnScene
from lexel.files import cache_folder, make_folder, write_atomically
from lexel.identity import file_state
from lexel.safetensors_bytes import safetensors_bytes

if TYPE_CHECKING:
    from lexel.encoder import Encoder

MOST_BYTES = 2 << 30  # of all entries together
KIND = "lexel cached embeddings"
SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class CachedPictures:
    """What `Encoder.embed_readable` answered."""

    vectors: np.ndarray  # (K, D)
    kept: np.ndarray  # (K,) which pictures they belong to
    bad: list[tuple[int, str]]  # the rest, each with its reason


class EvaluationCache:
    """Embeddings in a folder, at most `most_bytes` of them."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    def embed_readable(
        self, encoder: Encoder, pictures: Sequence[Picture], what: str | None
    ) -> tuple[np.ndarray, np.ndarray, list[tuple[int, str]]]:
        """As `Encoder.embed_readable`, from the cache where the same pictures were embedded by the same model."""
        states = _states(pictures)
        if states is None:
            return encoder.embed_readable(pictures, what=what)
        path = self._path(encoder, "pictures", states)
        found = _read(path)
        if found is None or len(found.kept) + len(found.bad) != len(pictures):
            found = CachedPictures(*encoder.embed_readable(pictures, what=what))
            self._write(path, found)
        return found.vectors, found.kept, found.bad

    def embed_texts(self, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        """As `Encoder.embed_texts`, from the cache where the same texts were embedded by the same model. (N, D)"""
        path = self._path(encoder, "texts", texts)
        found = _read(path)
        if found is None or len(found.vectors) != len(texts):
            found = CachedPictures(encoder.embed_texts(texts), np.arange(len(texts)), [])
            self._write(path, found)
        return found.vectors

    def _path(self, encoder: Encoder, what: str, parts: Iterable[str]) -> Path:
        digest = hashlib.sha256(json.dumps([what, *_model_parts(encoder)]).encode())
        for part in parts:
            digest.update(json.dumps(part).encode() + b"\n")
        return self.folder / f"{digest.hexdigest()}{SUFFIX}"

    def _write(self, path: Path, found: CachedPictures) -> None:
        content = safetensors_bytes(
            {"vectors": found.vectors, "kept": found.kept}, {"kind": KIND, "bad": json.dumps(found.bad)}
        )
        if len(content) > self.most_bytes:
            return
        try:
            make_folder(self.folder)
            self._make_room(len(content))
            write_atomically(path, content)
        except (OSError, LexelError):  # a full or read-only disk, or a file in the folder's place
            return

    def _make_room(self, wanted: int) -> None:
        """Remove what was used least recently until `wanted` bytes fit."""
        entries = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                entries.append((path.stat().st_mtime_ns, path.stat().st_size, path))
            except FileNotFoundError:  # another process has removed it
                continue
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total + wanted <= self.most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size


def default_cache() -> EvaluationCache:
    """The cache of the command line, in `embeddings` below LEXEL_CACHE or the user's own cache folder."""
    return EvaluationCache(cache_folder() / "embeddings")


def chosen_cache(wanted: EvaluationCache | str | Path | bool | None) -> EvaluationCache | None:
    """The cache that a caller means: the default one for True, one in a folder for its path, none for None or False."""
    if isinstance(wanted, str | Path):
        return EvaluationCache(Path(wanted).expanduser())
    if isinstance(wanted, bool):
        return default_cache() if wanted else None
    return wanted


def _model_parts(encoder: Encoder) -> list[str]:
    """All of a model that its vectors depend on."""
    return [
        encoder.fingerprint,
        type(encoder.runtime).__name__,
        encoder.runtime.number_format,
        encoder.preprocessing.model_dump_json(),
        str(encoder.exact),
        version("lexel"),
    ]


def _states(pictures: Sequence[Picture]) -> list[str] | None:
    """An identity for each picture, which changes with its content; None where one is of a kind that has none."""
    states = []
    for picture in pictures:
        state = _state(picture)
        if state is None:
            return None
        states.append(state)
    return states


def _state(picture: Picture) -> str | None:
    match picture:
        case ImageFile(path=path):
            try:
                return f"file {file_state(path)} {path.absolute()}"
            except OSError:
                return None  # its error is reported again each time, and it may be mended without a trace
        case ShardImage(path=path, start=start, size=size):
            try:
                return f"file {file_state(path)} {path.absolute()} {start} {size}"
            except OSError:
                return None
        case CroppedPicture(path=path, box=box):
            whole = _state(ImageFile(path))
            return whole and f"part {box} of {whole}"
        case TableImage(path=path, group=group, row=row):
            try:
                return f"file {file_state(path)} {path.absolute()} {group} {row}"
            except OSError:
                return None
        case EmbeddedImage(content=content):
            return f"content {hashlib.sha256(content).hexdigest()}"
        # Drawn a hundred times as fast as embedded, and by code that may change.
        case Scene() | DrawnScene() | CellDigit() | PrintedDigit():
            return f"pixels {hashlib.sha256(picture.load().tobytes()).hexdigest()}"
        case _:
            return None


def _read(path: Path) -> CachedPictures | None:
    """The entry, marked as just used; None where there is none or it is damaged."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            vectors, kept = file.get_tensor("vectors"), file.get_tensor("kept")
        bad = [(int(index), str(reason)) for index, reason in json.loads(metadata["bad"])]
        os.utime(path)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    if metadata.get("kind") != KIND or vectors.ndim != 2 or kept.shape != (len(vectors),):
        return None
    return CachedPictures(vectors, kept, bad) if np.isfinite(vectors).all() else None
