"""Cache of embeddings of a frozen tower, or of a teacher: each picture or text is embedded once, before step 0, into
the run folder.

    embeddings/image.npy     (N, E) float32 unit vectors, a row a picture in the order of the sources
    embeddings/image.json    whose they are, how many rows are there, and which pictures could not be read
    embeddings/text.npy …    a row a text, in alphabetical order

A run that was cut off goes on with the rows that are missing. Where tower, pictures or texts have changed, all rows are
computed again.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import Field, ValidationError

from lexel.config import Config
from lexel.data.frozen_vectors import EmbeddedPictures, EmbeddedTexts, FrozenVectors
from lexel.data.loader import TrainingSource
from lexel.data.pairs import EmbeddedImage, ImageFile, Picture, ShardImage, TableImage
from lexel.files import make_folder, write_atomically
from lexel.identity import file_state
from lexel.progress import say, track
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World
from lexel.training.inputs.starting_weights import hash_arrays

Embed = Callable[[slice], tuple[np.ndarray, dict[int, str]]]  # rows → their vectors, and what is bad among them

IMAGE_FROZEN = "The image tower is frozen: its embeddings are computed once, and pictures are not augmented."
TEXT_FROZEN = "The text tower is frozen: its embeddings are computed once."
CHUNK_ROWS = 1024  # of each process: as many as a run that is cut off computes again, at most


class SourcesWithTexts(Protocol):
    """Sources, and every text that can be drawn of them."""

    @property
    def sources(self) -> Sequence[TrainingSource]: ...

    def texts(self) -> Iterator[str]: ...


class _State(Config):
    """What the JSON beside the vectors says."""

    key: str
    done: int = 0  # rows
    bad: dict[int, str] = Field(default_factory=dict)  # row → why it has no embedding


def embed_pictures(
    folder: Path, encoder: SharedEncoder, training_data: SourcesWithTexts, why: str = IMAGE_FROZEN
) -> EmbeddedPictures:
    """The embeddings of all pictures of the training_data, from `folder` where they are there already.

    `why` is said to the user.
    """
    pictures = [pair.picture for source in training_data.sources for pair in source.pairs]

    def key() -> str:
        digest = _begin_key(encoder, "image")
        for picture in pictures:
            digest.update(_identity(picture))
        return digest.hexdigest()

    def embed(rows: slice) -> tuple[np.ndarray, dict[int, str]]:
        found, kept, bad = encoder.embed_readable(pictures[rows], what=None)
        vectors = np.full((len(pictures[rows]), encoder.dimensions), np.nan, np.float32)
        vectors[kept] = found
        return vectors, {rows.start + index: reason for index, reason in bad}

    if encoder.world.main:
        say(why)
    cache = _Cache(folder / "image", (len(pictures), encoder.dimensions), encoder.world)
    bad = cache.fill(key, embed, "Embedding pictures")
    return EmbeddedPictures(FrozenVectors(cache.vectors), [len(source.pairs) for source in training_data.sources], bad)


def embed_texts(
    folder: Path, encoder: SharedEncoder, training_data: SourcesWithTexts, why: str = TEXT_FROZEN
) -> EmbeddedTexts:
    """The embeddings of all texts that can be drawn, from `folder` where they are there already.

    `why` is said to the user.
    """
    return embed_these_texts(folder, encoder, sorted(set(training_data.texts())), why)


def embed_these_texts(folder: Path, encoder: SharedEncoder, texts: list[str], why: str) -> EmbeddedTexts:
    """The embeddings of these texts, as `embed_texts`."""

    def key() -> str:
        digest = _begin_key(encoder, "text")
        for text in texts:
            digest.update(f"{text}\0".encode(errors="surrogatepass"))
        return digest.hexdigest()

    if encoder.world.main:
        say(why)
    cache = _Cache(folder / "text", (len(texts), encoder.dimensions), encoder.world)
    cache.fill(key, lambda rows: (encoder.embed_texts(texts[rows]), {}), "Embedding texts")
    return EmbeddedTexts(FrozenVectors(cache.vectors), {text: row for row, text in enumerate(texts)})


class _Cache:
    """One file of vectors, and the note beside it of how far it is filled; the main process writes both."""

    def __init__(self, name: Path, shape: tuple[int, int], world: World) -> None:
        self.vectors, self.note = name.with_suffix(".npy"), name.with_suffix(".json")
        self.shape = shape
        self.world = world

    def fill(self, key: Callable[[], str], embed: Embed, what: str) -> dict[int, str]:
        """Compute the rows that are not there, all processes together. → the rows without an embedding, and why"""
        state = self.world.once(lambda: self._begun(key()))
        chunks = range(state.done, self.shape[0], CHUNK_ROWS * self.world.size)

        def filled() -> Iterator[int]:
            nonlocal state
            for start in chunks:
                rows = slice(start, min(start + chunks.step, self.shape[0]))
                vectors, bad = embed(rows)
                state = _State(key=state.key, done=rows.stop, bad=state.bad | bad)
                if self.world.main:
                    self._write(rows, vectors, state)
                yield from range(rows.start, rows.stop)

        rows = filled()
        for _ in track(rows, what, self.shape[0] - state.done) if self.world.main and chunks else rows:
            pass
        return self.world.once(lambda: state.bad)  # when all has been written

    def _begun(self, key: str) -> _State:
        """How far an earlier run has come; of what is stale, damaged or not there, nowhere."""
        make_folder(self.vectors.parent)
        try:
            state = _State.model_validate_json(self.note.read_bytes())
            if state.key == key and np.load(self.vectors, mmap_mode="r").shape == self.shape:
                return state
        except (OSError, ValidationError, ValueError):
            pass
        self.note.unlink(missing_ok=True)
        open_memmap(self.vectors, mode="w+", dtype=np.float32, shape=self.shape)
        return _State(key=key)

    def _write(self, rows: slice, vectors: np.ndarray, state: _State) -> None:
        there = open_memmap(self.vectors, mode="r+")
        there[rows] = vectors
        there.flush()  # before it is said that they are there
        write_atomically(self.note, state.model_dump_json())


def _begin_key(encoder: SharedEncoder, side: Literal["image", "text"]) -> "hashlib.blake2b":
    """The hash of a tower and of what comes before it; of a model that was loaded, of all of it."""
    digest = hashlib.blake2b(digest_size=16)
    if not encoder.is_live:
        digest.update(f"{encoder.fingerprint} {side}\n".encode())
        return digest
    tower, config = encoder.clip.towers[side], encoder.clip.config
    hash_arrays(digest, {name: tensor.cpu().numpy() for name, tensor in tower.state_dict().items()})
    before = (encoder.preprocessing, config.image) if side == "image" else (encoder.tokenizer.rules, config.text)
    for part in before:
        digest.update(part.model_dump_json().encode())
    if side == "text":
        digest.update(f"{encoder.tokenizer.to_json()}\0".encode(errors="surrogatepass"))
    return digest


def _identity(picture: Picture) -> bytes:
    """A file is the same while its size and time are."""
    match picture:
        case ImageFile(path) if path.exists():
            return f"{path} {file_state(path)}\n".encode(errors="surrogateescape")
        case ShardImage(path, start, size) if path.exists():
            return f"{path} {file_state(path)} {start} {size}\n".encode(errors="surrogateescape")
        case TableImage(path, group, row, column) if path.exists():
            return f"{path} {file_state(path)} {group} {row} {column}\n".encode(errors="surrogateescape")
        case EmbeddedImage(content):
            return hashlib.blake2b(content, digest_size=16).digest()
        case _:
            return f"{picture!r}\n".encode()
