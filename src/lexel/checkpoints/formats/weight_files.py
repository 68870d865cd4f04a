"""Weight files of every kind to named arrays, recognised by what is in them and never by their name.

Nothing in a file is ever run: safetensors are raw numbers, pickles are read by PyTorch's `weights_only` reader, and
those that it refuses, and TorchScript archives, by readers of our own. The error for what is no weight file says what
it is.
"""

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors

from lexel.checkpoints.formats.arrays import BFLOAT16, SAFETENSORS
from lexel.checkpoints.formats.pickles import Foreign, Tensor, code_error
from lexel.checkpoints.formats.torch_files import read_archive, read_saved
from lexel.errors import ModelError, UsageError
from lexel.files import read_json_object

Container = Literal["safetensors", "PyTorch", "TorchScript"]
WRAPPERS = ("state_dict", "model_state_dict", "model")  # of training checkpoints: the first with weights is taken
MAX_LEVELS = 5  # of dictionaries in one another
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Stored:
    """What a file holds, under its own names; float32 and the like as views of the file where that is possible."""

    arrays: dict[str, np.ndarray]
    container: Container
    program: str = field(default="", repr=False)  # of a TorchScript archive: source code, only ever looked at


def read_weight_file(path: Path) -> Stored:
    """Read any weight file. Raises UsageError where there is none, ModelError where it is damaged or something else."""
    if path.exists() and not path.is_file():  # a folder, or a pipe that never ends
        raise UsageError(f"{path} cannot be read: it is no regular file. Give a weight file or the folder of a model.")
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if head.startswith(_ZIP):
        stored = _read_zip(path)
    elif _is_safetensors(head, path.stat().st_size):
        stored = Stored(_read_safetensors(path), "safetensors")
    elif head.startswith(b"\x80"):
        stored = Stored(_read_pickle(path, is_zip=False), "PyTorch")
    else:
        raise ModelError(f"{path} {_what_else(head)}")
    if not stored.arrays:
        raise ModelError(f"{path} holds no weights.")
    return stored


def read_sharded(index: Path) -> Stored:
    """Read the files that a `*.index.json` names, as Hugging Face splits large models."""
    weight_map = read_json_object(index, "Download it again.").get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise ModelError(f"{index} is no index of weight files: it has no weight_map. Download it again.")
    shards = [index.parent / Path(name).name for name in sorted(set(weight_map.values()))]
    if missing := [shard.name for shard in shards if not shard.is_file()]:
        is_or_are = "is" if len(missing) == 1 else "are"
        raise ModelError(
            f"{index.parent} is incomplete: {', '.join(missing[:5])} {is_or_are} missing, {len(missing)} of "
            f"{len(shards)} files.\n  Download what is missing again."
        )
    parts = [read_weight_file(shard) for shard in shards]
    if not parts:
        raise ModelError(f"{index} names no files. Download it again.")
    return Stored({name: array for part in parts for name, array in part.arrays.items()}, parts[0].container)


def _read_zip(path: Path) -> Stored:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{path} is damaged or was not downloaded whole: {error}. Download it again.") from None
    if not any(name.endswith("/data.pkl") for name in names):
        raise ModelError(f"{path} is a zip archive without weights.")
    if any("/code/" in name for name in names):
        arrays, program = read_archive(path)
        return Stored(arrays, "TorchScript", program)
    return Stored(_read_pickle(path, is_zip=True), "PyTorch")


def _is_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= max(size, 100_000_000)


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        with safetensors.safe_open(path, framework="numpy"):  # checks that header and size fit
            pass
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} is damaged or was not downloaded whole: {error}. Download it again.") from None
    header.pop("__metadata__", None)
    if odd := {entry["dtype"] for entry in header.values()} - SAFETENSORS.keys():
        raise ModelError(f"{path} stores numbers as {', '.join(sorted(odd))}, which Lexel does not read.")
    # "c": writable, as PyTorch wants arrays, but what is written never reaches the file.
    content = np.memmap(path, np.uint8, mode="c", offset=8 + length) if header else np.zeros(0, np.uint8)
    return {
        name: content[slice(*entry["data_offsets"])].view(SAFETENSORS[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in header.items()
    }


def _read_pickle(path: Path, is_zip: bool) -> dict[str, np.ndarray]:
    import torch

    try:
        content: object = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # any: PyTorch raises nearly everything at damaged files
        if not any(sign in str(error) for sign in ("weights_only", "Unsupported", "Weights only", "unsupported")):
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise ModelError(f"{path} is damaged: {reason}. Download it again.") from None
        content = read_saved(path, is_zip)
    tensors = _state_dict(content, (torch.Tensor, Tensor), 0, set())
    if not tensors and (code := _code_in(content)):
        raise ModelError(f"{path} {code_error(code)}")
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a dictionary of weights.")
    try:
        return {name: _array(tensor) for name, tensor in tensors.items()}
    except ModelError as error:
        raise ModelError(f"{path} {error}") from None
    except (TypeError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} stores numbers in a way that Lexel does not read: {error}.") from None


def _state_dict(content: object, kinds: tuple[type, ...], level: int, seen: set[int]) -> dict[str, Any]:
    """The tensors of a checkpoint: those in a known wrapper, or else all, each under the keys that lead to it.

    `seen` holds the dictionaries that were looked into, so that one which holds itself ends.
    """
    if not isinstance(content, dict) or level > MAX_LEVELS or id(content) in seen:
        return {}
    seen.add(id(content))
    for wrapper in WRAPPERS:
        if found := _state_dict(content.get(wrapper), kinds, level + 1, seen):
            return found
    tensors: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, kinds):
            tensors[str(key)] = value
        else:
            tensors |= {f"{key}.{name}": tensor for name, tensor in _state_dict(value, kinds, level + 1, seen).items()}
    return tensors


def _code_in(content: object) -> str | None:
    """A class or function that the content needs, if it needs one."""
    waiting, seen = [content], {id(content)}
    while waiting:
        value = waiting.pop()
        if isinstance(value, Foreign):
            return value.name
        if isinstance(value, dict | list | tuple):
            inside = value.values() if isinstance(value, dict) else value
            new = [part for part in inside if id(part) not in seen]
            seen.update(map(id, new))
            waiting.extend(new)
    return None


def _array(tensor: Any) -> np.ndarray:
    if isinstance(tensor, Tensor):
        return tensor.array()
    import torch

    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view("<u2").view(BFLOAT16)
    return tensor.numpy()


def _what_else(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return "is empty. Download it again."
    if text.startswith(b"version https://git-lfs"):
        return "is a pointer of git-lfs, not the file itself. Run `git lfs pull` in its repository."
    if text[:1] == b"<":
        return "is a web page that was saved in place of the weights. Download the file itself."
    if all(byte >= 32 or byte in b"\t\r\n" for byte in text):
        return "is a text file, not weights."
    return "is of no known weight format, or damaged. Download it again."
