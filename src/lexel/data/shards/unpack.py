"""Compressed shards: gzip and zstd streams have no places to jump to, so a tar is unpacked once into the cache folder.

It lies there as `shards/unpacked/NAME-HASH.tar`, named by path, size and time of the compressed file, until the cache
is cleared. What a cut-off stream gives before its end is kept.
"""

import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lexel.data.shards.names import GZIP_SUFFIXES, ZSTD_SUFFIXES
from lexel.errors import DataError, LexelError
from lexel.extras import missing_library
from lexel.files import cache_folder, make_folder, new_file
from lexel.identity import file_state

CHUNK = 1 << 20  # bytes


def is_compressed(shard: Path) -> bool:
    return shard.name.lower().endswith((*GZIP_SUFFIXES, *ZSTD_SUFFIXES))


def unpacked(shard: Path) -> Path:
    """Where the plain tar of a compressed shard lies. Raises DataError for what cannot be unpacked at all."""
    name = hashlib.blake2b(f"{shard.absolute()} {file_state(shard)}".encode("utf-8", "surrogatepass"), digest_size=8)
    target = cache_folder() / "shards" / "unpacked" / f"{shard.name.partition('.')[0]}-{name.hexdigest()}.tar"
    if target.exists():
        return target
    make_folder(target.parent)
    try:
        with new_file(target) as temporary, temporary.open("wb") as plain:
            _copy(shard, plain)
    except OSError as error:
        raise LexelError(
            f"{shard} could not be unpacked to {target.parent}: {error.strerror or error}.\n"
            "  Unpack it yourself (gunzip, unzstd), or name another cache folder in LEXEL_CACHE."
        ) from error
    return target


def _copy(shard: Path, plain: BinaryIO) -> None:
    with shard.open("rb") as packed:
        stream = _gunzip(packed) if shard.name.lower().endswith(GZIP_SUFFIXES) else _unzstd(packed, shard.name)
        try:
            for part in stream:
                plain.write(part)
        except ValueError as error:  # what came before is kept
            if not plain.tell():
                raise DataError(f"{shard} cannot be unpacked: {error}") from None


def _gunzip(packed: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip stream, as far as it goes. Raises ValueError where it is damaged."""
    stream = zlib.decompressobj(wbits=31)
    try:
        while rest := packed.read(CHUNK):
            while rest:
                yield stream.decompress(rest)
                rest = stream.unused_data.lstrip(b"\0") if stream.eof else b""  # another member follows
                stream = zlib.decompressobj(wbits=31) if stream.eof else stream
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _unzstd(packed: BinaryIO, name: str) -> Iterator[bytes]:
    """The content of a zstd stream, as far as it goes. Raises ValueError where it is damaged."""
    try:
        import zstandard
    except ImportError as error:
        raise missing_library(f"Reading {name}", "zstandard", error) from None
    stream = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    try:
        while part := packed.read(CHUNK):
            yield stream.decompress(part)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
