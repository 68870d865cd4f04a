"""SentencePiece models (`spiece.model`) without the sentencepiece package: the unigram kind that T5 and SigLIP use.

The file is one protocol buffer message. Only what decides the ids is read: the pieces with their scores, the unknown
piece, and the table by which characters are normalised.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from lexel.errors import UsageError
from lexel.tokenizer.tokenizer import damage_named

# Field numbers in sentencepiece_model.proto.
PIECES, TRAINER, NORMALIZER = 1, 2, 3
TEXT, SCORE, TYPE = 1, 2, 3  # of a piece
MODEL_TYPE, BYTE_FALLBACK, UNKNOWN_ID = 3, 35, 40  # of the trainer
CHARACTER_MAP = 2  # of the normaliser
UNIGRAM = 1
UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # types of pieces

Value = int | bytes


def read_sentencepiece(path: Path) -> Backend:
    """The tokenizer in a SentencePiece model; nothing is added around a text. Raises UsageError or ModelError."""
    with damage_named(f"{path} is not a readable SentencePiece model"):
        return _build(path, path.read_bytes())


def _build(path: Path, content: bytes) -> Backend:
    pieces: list[tuple[str, float]] = []
    special: list[AddedToken] = []
    trainer: dict[int, Value] = {}
    normalizer: dict[int, Value] = {}
    for field, value in _fields(content):
        match field, value:
            case (1, bytes()):
                piece = dict(_fields(value))
                text, kind = _bytes(piece[TEXT]).decode("utf-8"), piece.get(TYPE)
                score = struct.unpack("<f", _bytes(piece.get(SCORE, bytes(4))))[0]
                pieces.append((text, score))
                if kind in (UNKNOWN, CONTROL, USER_DEFINED):
                    special.append(AddedToken(text, normalized=False, special=kind != USER_DEFINED))
            case (2, bytes()):
                trainer = dict(_fields(value))
            case (3, bytes()):
                normalizer = dict(_fields(value))
    if trainer.get(MODEL_TYPE, UNIGRAM) != UNIGRAM:
        raise UsageError(f"{path} is a SentencePiece model of the BPE kind. Fetch the model's tokenizer.json instead.")
    unknown = trainer.get(UNKNOWN_ID, 0)
    fallback = bool(trainer.get(BYTE_FALLBACK, 0))
    backend = Backend(models.Unigram(pieces, unk_id=int(unknown), byte_fallback=fallback))
    if characters := _bytes(normalizer.get(CHARACTER_MAP, b"")):
        backend.normalizer = normalizers.Precompiled(characters)
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    backend.add_tokens(special)
    return backend


def _fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Field number and value of each field in turn; numbers of fixed width come as their bytes."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        width = {0: 0, 1: 8, 5: 4}.get(key & 7)
        if width == 0:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if width is None:
            if key & 7 != 2:
                raise ValueError("no protocol buffer")
            width, place = _varint(message, place)
        if place + width > len(message):
            raise ValueError("truncated")
        yield key >> 3, message[place : place + width]
        place += width


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message):
            raise ValueError("truncated")
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("no SentencePiece model")
    return value
