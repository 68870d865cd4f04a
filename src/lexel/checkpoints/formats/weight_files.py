"""Weight files of every kind to named arrays, told apart by what is in them and never by their name.

Nothing in a file is ever run: safetensors are raw numbers, pickles are read by PyTorch's `weights_only` reader, and
TorchScript archives by a reader of our own. What is no weight file at all is told as what it is.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors

from lexel.checkpoints.formats.arrays import BFLOAT16, SAFETENSORS
from lexel.checkpoints.formats.torchscript import read_archive
from lexel.errors import ModelError, UsageError

Container = Literal["safetensors", "PyTorch", "TorchScript"]
WRAPPERS = ("state_dict", "model_state_dict", "model")  # of training checkpoints: the first that is there is taken
PREFIXES = ("module.", "_orig_mod.")  # that distributed and compiled training put before every name
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Stored:
    """What a file holds, under its own names; float32 and the like as views of the file where that is possible."""

    arrays: dict[str, np.ndarray]
    container: Container
    program: str = field(default="", repr=False)  # of a TorchScript archive: source code, only ever looked at


def read_weight_file(path: Path) -> Stored:
    """Read any weight file. Raises UsageError where there is none, ModelError where it is damaged or something else."""
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
    return Stored(strip_prefixes(stored.arrays), stored.container, stored.program)


def read_sharded(index: Path) -> Stored:
    """Read the files that a `*.index.json` names, as Hugging Face splits large models."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        shards = [index.parent / Path(name).name for name in names]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} is no index of weight files: {error!r}. Download it again.") from None
    if missing := [shard.name for shard in shards if not shard.is_file()]:
        raise ModelError(f"{index.parent} is incomplete: {', '.join(missing)} is missing. Download it again.")
    parts = [read_weight_file(shard) for shard in shards]
    if not parts:
        raise ModelError(f"{index} names no files. Download it again.")
    return Stored({name: array for part in parts for name, array in part.arrays.items()}, parts[0].container)


def strip_prefixes(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Names without what training wrappers put before them all, in any order and number."""
    arrays = dict(arrays)
    while prefix := next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in arrays)), None):
        if not arrays or prefix in arrays:
            break
        arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
    return arrays


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
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # any: PyTorch raises nearly everything at damaged files
        raise ModelError(f"{path} {_why_not_loaded(error)}") from None
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a dictionary of weights.")
    tensors = {str(name): value.detach() for name, value in content.items() if isinstance(value, torch.Tensor)}
    try:
        return {
            name: tensor.view(torch.int16).numpy().view("<u2").view(BFLOAT16)
            if tensor.dtype == torch.bfloat16
            else tensor.numpy()
            for name, tensor in tensors.items()
        }
    except (TypeError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} stores numbers in a way that Lexel does not read: {error}.") from None


def _why_not_loaded(error: Exception) -> str:
    text = str(error)
    if asked := re.search(r"GLOBAL ([\w.]+)|Unsupported class ([\w.]+)|Trying to (?:load|call) ([\w.]+)", text):
        name = next(group for group in asked.groups() if group)
        return f"asks for {name}, which no weights need. It may be hostile: nothing of it was run."
    if "weights_only" in text.lower() or "Unsupported" in text:
        return "holds more than weights. It may be hostile: nothing of it was run."
    return f"is damaged: {' '.join(text.split())[:100] or type(error).__name__}. Download it again."


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
