"""The tensors of a TorchScript archive, as OpenAI published CLIP, without running anything that is in it.

Such an archive is a zip of a pickle (`data.pkl`: the modules and how each tensor lies in its storage), the storages as
raw bytes, and a program. `torch.jit.load` would compile that program, and `pickle` would call what it is told to. Here
the pickle's steps are followed one by one: dictionaries, lists, numbers, tensors and module states are rebuilt, and a
step that needs anything else ends the reading.
"""

import io
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lexel.checkpoints.formats.arrays import BFLOAT16
from lexel.errors import ModelError

MAX_BYTES = 64 << 20  # of the pickle, and of the program; OpenAI's are under one megabyte
STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": BFLOAT16,
    "DoubleStorage": np.dtype("<f8"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
# Functions of PyTorch that give back their first argument, as far as the numbers are concerned.
PASSING = {
    "torch._utils _rebuild_parameter", "torch.jit._pickle restore_type_tag", "torch.jit._pickle build_intlist",
    "torch.jit._pickle build_doublelist", "torch.jit._pickle build_boollist", "torch.jit._pickle build_tensorlist",
}  # fmt: skip

# The many ways to write a number or a text.
LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
}  # fmt: skip


def read_archive(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """All tensors by their dotted names, and the program as text. Raises ModelError for a damaged or hostile file."""
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
            content = _Archive(archive, root)
            return dict(_tensors(_follow(content))), content.program()
    except ModelError as error:
        raise ModelError(f"{path} {error}") from None
    except Exception as error:  # any: whatever bytes there are, they are followed until they make no sense
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise ModelError(f"{path} is damaged: {reason}. Download it again.") from None


@dataclass(frozen=True)
class _Global:
    """A class or function that the pickle names; never looked up."""

    name: str  # module and name, a space between


@dataclass
class _Module:
    """What takes the place of each object of the archive's own classes."""

    state: dict[object, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Storage:
    numbers: np.ndarray  # flat


@dataclass(frozen=True)
class _Archive:
    zip: zipfile.ZipFile
    root: str
    storages: dict[object, _Storage] = field(default_factory=dict)

    def member(self, name: str, limit: int) -> bytes:
        info = self.zip.getinfo(self.root + name)
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:  # a bomb, perhaps
            raise ModelError(f"is damaged: {name} is compressed or larger than it may be. Download it again.")
        return self.zip.read(info)

    def storage(self, identity: Any) -> _Storage:
        kind, storage, key, _, count = identity
        dtype = STORAGES.get(storage.name.removeprefix("torch ")) if isinstance(storage, _Global) else None
        if kind != "storage" or dtype is None:
            raise ModelError(f"holds numbers of an unknown kind: {storage}.")
        if key not in self.storages:
            content = bytearray(self.member(f"data/{key}", count * dtype.itemsize))  # which, unlike bytes, is writable
            self.storages[key] = _Storage(np.frombuffer(content, dtype, count))
        return self.storages[key]

    def program(self) -> str:
        """The archive's source code, which is only ever looked at."""
        files = [info for info in self.zip.infolist() if info.filename.startswith(f"{self.root}code/")]
        if sum(info.file_size for info in files) > MAX_BYTES:
            raise ModelError("is damaged: its program is larger than it may be. Download it again.")
        return "\n".join(self.zip.read(info).decode("utf-8", "replace") for info in files)


def _follow(archive: _Archive) -> object:
    """Rebuild what the pickle describes. The stack holds values; each mark puts away the one before it."""
    stack: list[Any] = []
    put_away: list[list[Any]] = []
    memo: dict[int | None, Any] = {}
    for opcode, argument, _ in pickletools.genops(io.BytesIO(archive.member("data.pkl", MAX_BYTES))):
        match opcode.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                put_away.append(stack)
                stack = []
            case "POP":
                stack.pop()
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_Global(str(argument)))
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode.name == "NEWTRUE")
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[opcode.name]())
            case "TUPLE" | "APPENDS" | "SETITEMS":
                items, stack = stack, put_away.pop()
                _gather(opcode.name, stack, items)
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND":
                _gather("APPENDS", stack, [stack.pop()])
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _gather("SETITEMS", stack, [key, value])
            case "BINPERSID":
                stack.append(archive.storage(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_call(function, arguments))
            case "NEWOBJ":
                _, kind = stack.pop(), stack.pop()
                stack.append(_make(kind))
            case "BUILD":
                state = stack.pop()
                if not isinstance(stack[-1], _Module) or not isinstance(state, dict):
                    raise ModelError("is damaged: it describes no module. Download it again.")
                stack[-1].state = state
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(_Global(f"{module} {name}"))
            case name if name in LITERALS:
                stack.append(argument)
            case name:
                raise ModelError(f"asks for {name}, which no weights need. It may be hostile: nothing of it was run.")
    raise ModelError("is damaged: it ends too early. Download it again.")


def _gather(opcode: str, stack: list[Any], items: list[Any]) -> None:
    if opcode == "TUPLE":
        stack.append(tuple(items))
    elif opcode == "APPENDS" and isinstance(stack[-1], list):
        stack[-1].extend(items)
    elif opcode == "SETITEMS" and isinstance(stack[-1], dict):
        stack[-1].update(zip(items[::2], items[1::2], strict=True))
    else:
        raise ModelError("is damaged: it fills what is no container. Download it again.")


def _call(function: object, arguments: Any) -> object:
    if isinstance(function, _Global):
        if function.name == "torch._utils _rebuild_tensor_v2":
            return _tensor(*arguments[:4])
        if function.name == "collections OrderedDict":
            return dict(*arguments)
        if function.name in PASSING:
            return arguments[0]
    raise _hostile(function)


def _make(kind: object) -> _Module:
    if isinstance(kind, _Global) and kind.name.startswith("__torch__"):
        return _Module()
    raise _hostile(kind)


def _hostile(asked: object) -> ModelError:
    name = asked.name.replace(" ", ".") if isinstance(asked, _Global) else repr(asked)[:60]
    return ModelError(f"asks for {name}, which no weights need. It may be hostile: nothing of it was run.")


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    numbers = storage.numbers
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if min((offset, *size, *stride)) < 0 or (0 not in size and last >= len(numbers)):
        raise ModelError("is damaged: a tensor reaches beyond its storage. Download it again.")
    strides = [step * numbers.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(numbers[offset:], size, strides)


def _tensors(found: object) -> Iterator[tuple[str, np.ndarray]]:
    """Names as PyTorch gives them: attributes joined by dots. A module is entered once, so a cycle ends."""
    if not isinstance(found, _Module):
        raise ModelError("holds no module.")
    entered = {id(found)}
    waiting = [("", found)]
    while waiting:
        prefix, module = waiting.pop()
        for name, value in module.state.items():
            if isinstance(value, np.ndarray):
                yield f"{prefix}{name}", value
            elif isinstance(value, _Module) and id(value) not in entered:
                entered.add(id(value))
                waiting.append((f"{prefix}{name}.", value))
