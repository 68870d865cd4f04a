"""The tensors of PyTorch's files, TorchScript archives as OpenAI published CLIP included, without running any of them.

An archive is a zip of a pickle (`data.pkl`: what there is, and how each tensor lies in its storage), the storages as
raw bytes, and for TorchScript a program, which `torch.jit.load` would compile. Files from before 2020 are several
pickles one behind the other, and then the storages.
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from lexel.checkpoints.formats.pickles import Module, Storage, Tensor, dtype_of, follow
from lexel.errors import ModelError

MAX_PICKLE_BYTES = 64 << 20  # of the pickle, and of the program; OpenAI's are under one megabyte
OLD_MAGIC = 0x1950A86A20F9469CFC6C  # what the first pickle of an old file holds


def read_archive(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """All tensors of a TorchScript archive by their dotted names, and the program as text.

    Raises ModelError for a damaged or hostile file.
    """
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        content = _Archive(archive)
        return dict(_tensors(content.follow(foreign=False))), content.program()


def read_saved(path: Path, is_zip: bool) -> object:
    """What `torch.save` wrote, with a Foreign for all that is neither weights nor a container.

    Tensors are `pickles.Tensor`, whose numbers are read on demand. Raises ModelError for a damaged file.
    """
    with _damage_named(path):
        if is_zip:
            return _Archive(zipfile.ZipFile(path)).follow(foreign=True)  # open as long as a tensor may be read
        with open(path, "rb") as file:
            return _follow_old(file, path)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Name the file in whatever reading it ends in: any bytes are followed until they make no sense."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{path} {error}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ModelError(f"{path} is damaged: {reason}. Download it again.") from None


@dataclass(frozen=True)
class _Archive:
    zip: zipfile.ZipFile
    storages: dict[object, Storage] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return next(name for name in self.zip.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")

    def follow(self, *, foreign: bool) -> object:
        return follow(io.BytesIO(self.member("data.pkl", MAX_PICKLE_BYTES)), self.storage, foreign=foreign)

    def member(self, name: str, limit: int) -> bytes:
        info = self.zip.getinfo(self.root + name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:  # a bomb, perhaps
            raise ModelError(f"is damaged: {name} is compressed or larger than it may be. Download it again.")
        return self.zip.read(info)

    def storage(self, identity: Any) -> Storage:
        kind, storage, key, _, count = identity
        dtype = dtype_of(storage)
        if kind != "storage":
            raise ModelError(f"is damaged: it asks for {kind!r}. Download it again.")
        if key not in self.storages:
            read = partial(self.member, f"data/{key}", count * dtype.itemsize)
            self.storages[key] = Storage(dtype, count, read)
        return self.storages[key]

    def program(self) -> str:
        """The archive's source code, which is only ever looked at."""
        files = [info for info in self.zip.infolist() if info.filename.startswith(f"{self.root}code/")]
        if sum(info.file_size for info in files) > MAX_PICKLE_BYTES:
            raise ModelError("is damaged: its program is larger than it may be. Download it again.")
        return "\n".join(self.zip.read(info).decode("utf-8", "replace") for info in files)


def _follow_old(file: BinaryIO, path: Path) -> object:
    """A file from before 2020: magic number, version, facts on the machine, content, names of storages, storages."""
    storages: dict[object, Storage] = {}
    places: dict[object, int] = {}

    def read(key: object, size: int) -> bytes:
        with open(path, "rb") as again:
            again.seek(places[key])
            return again.read(size)

    def storage_of(identity: Any) -> Storage:
        _, storage, key, _, count, *_ = identity
        dtype = dtype_of(storage)
        if key not in storages:
            storages[key] = Storage(dtype, count, partial(read, key, count * dtype.itemsize))
        return storages[key]

    first = follow(file, storage_of, foreign=True)
    if first != OLD_MAGIC:  # a pickle of somebody's own
        return first
    for _ in range(2):
        follow(file, storage_of, foreign=True)
    content = follow(file, storage_of, foreign=True)
    keys = follow(file, storage_of, foreign=True)
    for key in keys if isinstance(keys, list) else ():
        count = int.from_bytes(file.read(8), "little")
        places[key] = file.tell()
        if key not in storages or count != storages[key].count:
            raise ModelError("is damaged: a storage is of another length. Download it again.")
        file.seek(count * storages[key].dtype.itemsize, 1)
    return content


def _tensors(found: object) -> Iterator[tuple[str, np.ndarray]]:
    """Names as PyTorch gives them: attributes joined by dots. A module is entered once, so a cycle ends."""
    if not isinstance(found, Module):
        raise ModelError("holds no module.")
    entered = {id(found)}
    waiting = [("", found)]
    while waiting:
        prefix, module = waiting.pop()
        for name, value in module.state.items():
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value.array()
            elif isinstance(value, Module) and id(value) not in entered:
                entered.add(id(value))
                waiting.append((f"{prefix}{name}.", value))
