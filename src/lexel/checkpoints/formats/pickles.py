"""Pickles of weights, followed step by step without running anything that is in them.

`pickle` calls whatever function a file names. Here dictionaries, lists, numbers and tensors are rebuilt, and a
step that needs a class or function of anyone else's leaves a Foreign in its place, which does nothing and is never
looked into: so the settings of a training script (an `argparse.Namespace`, say) may lie beside its weights.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np

from lexel.checkpoints.formats.arrays import BFLOAT16
from lexel.errors import ModelError

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
REBUILDS = {"torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_tensor"}
# Functions of PyTorch that give back their first argument, as far as the numbers are concerned.
PASSING = {
    "torch._utils _rebuild_parameter", "torch.jit._pickle restore_type_tag", "torch.jit._pickle build_intlist",
    "torch.jit._pickle build_doublelist", "torch.jit._pickle build_boollist", "torch.jit._pickle build_tensorlist",
    "torch._utils _rebuild_parameter_with_state", "torch Size",
}  # fmt: skip
# The many ways to write a number, a text or bytes.
LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip


@dataclass(frozen=True)
class Global:
    """A class or function that a pickle names; never looked up."""

    name: str  # module and name, a space between


@dataclass(frozen=True)
class Foreign:
    """What takes the place of an object that only somebody else's code could make."""

    name: str  # of the class or function, dotted


@dataclass
class Module:
    """What takes the place of each object of a TorchScript archive's own classes."""

    state: dict[object, object] = field(default_factory=dict)


@dataclass
class Storage:
    """Numbers in a row, read from the file when they are first needed."""

    dtype: np.dtype
    count: int
    read: Callable[[], bytes]

    @cached_property
    def numbers(self) -> np.ndarray:
        content = bytearray(self.read())  # which, unlike bytes, is writable
        return np.frombuffer(content, self.dtype, self.count)


@dataclass(frozen=True)
class Tensor:
    """How a tensor lies in its storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def array(self) -> np.ndarray:
        """The numbers. Raises ModelError when they would lie outside the storage."""
        last = self.offset + sum((length - 1) * step for length, step in zip(self.size, self.stride, strict=True))
        if min((self.offset, *self.size, *self.stride)) < 0 or (0 not in self.size and last >= self.storage.count):
            raise ModelError("is damaged: a tensor reaches beyond its storage. Download it again.")
        strides = [step * self.storage.dtype.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(self.storage.numbers[self.offset :], self.size, strides)


def dtype_of(storage: object) -> np.dtype:
    """The number format of a storage class. Raises ModelError for an unknown one."""
    dtype = STORAGES.get(storage.name.removeprefix("torch ")) if isinstance(storage, Global) else None
    if dtype is None:
        raise ModelError(f"holds numbers of an unknown kind: {storage}.")
    return dtype


def code_error(name: str) -> ModelError:
    """The error for what cannot be had without running `name`."""
    return ModelError(
        f"asks for {name}, which no weights need. It may be hostile: nothing of it was run.\n"
        '  If it is your own, save its weights alone where its code is: torch.save(model.state_dict(), "weights.pt")'
    )


def follow(pickled: BinaryIO, storage_of: Callable[[Any], Storage], *, foreign: bool) -> object:
    """Rebuild what the pickle describes, up to its end.

    `storage_of` gives the storage for a persistent id. With `foreign`, what needs other code becomes a Foreign; else it
    raises ModelError.
    """
    return _Reader(storage_of, foreign).read(pickled)


class _Reader:
    """The machine that a pickle is a program for. The stack holds values; each mark puts away the one before it."""

    def __init__(self, storage_of: Callable[[Any], Storage], foreign: bool) -> None:
        self.storage_of, self.foreign = storage_of, foreign
        self.stack: list[Any] = []
        self.put_away: list[list[Any]] = []
        self.memo: dict[int | None, Any] = {}

    def read(self, pickled: BinaryIO) -> object:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in LITERALS:
                self.stack.append(argument)
            elif not (self._move(opcode.name, argument) or self._gather(opcode.name) or self._make(opcode.name)):
                self._make_foreign(opcode.name, argument)
        raise ModelError("is damaged: it ends too early. Download it again.")

    def _move(self, opcode: str, argument: Any) -> bool:
        """Steps that only move values. → whether it was one"""
        stack, memo = self.stack, self.memo
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.put_away.append(stack)
                self.stack = []
            case "POP":
                stack.pop()
            case "DUP":
                stack.append(stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(opcode == "NEWTRUE")
            case "GLOBAL":
                stack.append(Global(str(argument)))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(Global(f"{module} {name}"))
            case "BINPERSID":
                stack.append(self.storage_of(stack.pop()))
            case _:
                return False
        return True

    def _gather(self, opcode: str) -> bool:
        """Steps that make or fill containers. → whether it was one"""
        stack = self.stack
        match opcode:
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[opcode]())
            case "TUPLE" | "LIST" | "DICT":
                items = self._since_mark()
                pairs = zip(items[::2], items[1::2], strict=True) if opcode == "DICT" else ()
                self.stack.append({"TUPLE": tuple(items), "LIST": items, "DICT": dict(pairs)}[opcode])
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(opcode[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPENDS" | "SETITEMS" | "ADDITEMS":
                self._fill(opcode, self._since_mark())
            case "APPEND":
                self._fill("APPENDS", [stack.pop()])
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                self._fill("SETITEMS", [key, value])
            case _:
                return False
        return True

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.put_away.pop()
        return items

    def _fill(self, opcode: str, items: list[Any]) -> None:
        target = self.stack[-1]
        if opcode == "APPENDS" and isinstance(target, list):
            target.extend(items)
        elif opcode == "SETITEMS" and isinstance(target, dict):
            target.update(zip(items[::2], items[1::2], strict=True))
        elif not isinstance(target, Foreign):
            raise ModelError("is damaged: it fills what is no container. Download it again.")

    def _make(self, opcode: str) -> bool:
        """Steps that make an object or set its state. → whether it was one"""
        stack = self.stack
        match opcode:
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(self._called(function, arguments))
            case "NEWOBJ":
                _, kind = stack.pop(), stack.pop()
                if isinstance(kind, Global) and kind.name.startswith("__torch__"):
                    stack.append(Module())
                else:
                    stack.append(self._foreign(kind))
            case "BUILD":
                state = stack.pop()
                if isinstance(stack[-1], Module) and isinstance(state, dict):
                    stack[-1].state = state
                elif not (self.foreign and isinstance(stack[-1], Foreign | dict)):  # a dict: what PyTorch notes on it
                    raise ModelError("is damaged: it describes no module. Download it again.")
            case _:
                return False
        return True

    def _called(self, function: object, arguments: Any) -> object:
        if isinstance(function, Global):
            if function.name == "torch._tensor _rebuild_from_type_v2":  # a subclass of tensors: function and arguments
                return self._called(arguments[0], arguments[2])
            if function.name in REBUILDS and isinstance(arguments[0], Storage):
                return Tensor(*arguments[:4])
            if function.name == "collections OrderedDict":
                return dict(*arguments)
            if function.name in PASSING:
                return arguments[0]
        return self._foreign(function)

    def _make_foreign(self, opcode: str, argument: Any) -> None:
        """Steps that no weights need."""
        match opcode:
            case "NEWOBJ_EX":
                _, _, kind = self.stack.pop(), self.stack.pop(), self.stack.pop()
            case "INST":
                self._since_mark()
                kind = Global(str(argument))
            case "OBJ":
                kind = self._since_mark()[0]
            case "EMPTY_SET":
                kind = Global("builtins set")
            case "FROZENSET":
                self._since_mark()
                kind = Global("builtins frozenset")
            case _:
                raise code_error(opcode)
        self.stack.append(self._foreign(kind))

    def _foreign(self, asked: object) -> Foreign:
        if isinstance(asked, Foreign):
            return asked
        name = asked.name.replace(" ", ".") if isinstance(asked, Global) else repr(asked)[:60]
        if not self.foreign:
            raise code_error(name)
        return Foreign(name)
