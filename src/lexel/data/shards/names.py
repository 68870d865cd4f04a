"""Which shards a text names: one tar, a pattern with braces, several joined by `::`, or a folder of them."""

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.splits import FOLDER_SPLITS, split_name
from lexel.data.readers.walk import METADATA
from lexel.data.remote import is_remote, list_folder
from lexel.errors import UsageError, did_you_mean

PLAIN_SUFFIX = ".tar"
GZIP_SUFFIXES = (".tar.gz", ".tgz")
ZSTD_SUFFIXES = (".tar.zst", ".tar.zstd", ".tzst")
MANIFEST = "manifest.json"  # of what `lexel data prepare` has written
SHARD_SUFFIXES = (PLAIN_SUFFIX, *GZIP_SUFFIXES, *ZSTD_SUFFIXES)
MAX_SHARDS = 1_000_000  # that one text may name; a mistyped range would fill the memory

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def is_shard_name(name: str) -> bool:
    """Whether a file of this name is a tar shard, by its end."""
    return name.lower().endswith(SHARD_SUFFIXES)


def names_shards(text: str) -> bool:
    """Whether the text can only mean shards, or names a folder that holds them."""
    if os.path.isdir(os.path.expanduser(text)):  # noqa: PTH111, PTH112 - Path raises for names that are too long
        path = Path(text).expanduser()
        return holds_shards(path) or bool(split_folders(path))
    if is_remote(text) and text.endswith("/"):
        return True
    return all(is_shard_name(part.partition("?")[0] if is_remote(part) else part) for part in text.split("::"))


def named_split(text: str) -> tuple[Path, str] | None:
    """The folder of shards and the split that stands behind it, as in `packed/validation`; None: it is no such text."""
    path = Path(text).expanduser()
    if is_remote(text) or os.path.exists(path) or not path.parent.is_dir() or path.parent == Path():  # noqa: PTH110
        return None
    return (path.parent, path.name) if split_folders(path.parent) else None


def split_folders(folder: Path) -> dict[str, Path]:
    """The folders of shards below it that are splits, by name: train, val and test, or those that a manifest lists."""
    if any((folder / name).is_file() for name in METADATA):
        return {}
    known = FOLDER_SPLITS | _packed_splits(folder)
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    splits = {split_name(path.name): path for path in below if split_name(path.name) in known}
    return {name: path for name, path in splits.items() if holds_shards(path)}


def is_unfinished(folder: Path) -> bool:
    """Whether a packing of the folder, or of the one above it of which it is a split, was cut off."""
    place = folder.resolve()
    above = _manifest(place.parent)
    manifests = [_manifest(place), above if place.name in (above.get("splits") or ()) else {}]
    return any(manifest.get("complete") is False for manifest in manifests)


def _packed_splits(folder: Path) -> set[str]:
    listed = _manifest(folder).get("splits")
    return {name for name in listed if name} if isinstance(listed, dict) else set()


def _manifest(folder: Path) -> dict[str, Any]:
    """What `lexel data prepare` says of a folder, empty where it says nothing."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def holds_shards(folder: Path) -> bool:
    """Whether a folder is one of shards: it has some, and neither a table of pictures nor pictures beside them."""
    found = False
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in METADATA or (has_image_extension(entry.name) and not entry.name.startswith(".")):
                return False
            found = found or _is_shard(entry.name)
    return found


def shards_in(folder: Path) -> list[str]:
    """The shards right in a folder, by name."""
    return sorted(str(folder / entry.name) for entry in os.scandir(folder) if _is_shard(entry.name))


def expand(text: str) -> list[str]:
    """Every shard that the text names, in its order. Raises UsageError where one is named that is not there.

    expand("train/{0000..0002}.tar")  →  ["train/0000.tar", "train/0001.tar", "train/0002.tar"]
    """
    found: list[str] = []
    for part in text.split("::"):
        if os.path.exists(part):  # noqa: PTH110 - a name with braces of its own
            found += shards_in(Path(part)) if Path(part).is_dir() else [part]
            continue
        for name in expand_braces(part):
            found += _remote(name) if is_remote(name) else _local(name)
    missing = [name for name in found if not is_remote(name) and not os.path.exists(name)]  # noqa: PTH110
    if missing:
        raise UsageError(_missing(missing, found))
    return list(dict.fromkeys(found))


def expand_braces(text: str) -> list[str]:
    """All that a pattern with {0000..0127} or {a,b} stands for; numbers are as long as the first is written."""
    braces = _BRACES.search(text)
    if braces is None:
        if "{" in text or "}" in text:
            raise UsageError(f"{text} has an unmatched brace. A range of shards is {{0000..0127}}.")
        return [text]
    inside = braces[1]
    if "{" in text[: braces.start()]:
        raise UsageError(f"{text} has braces within braces. Join two patterns by :: instead.")
    rest = expand_braces(text[braces.end() :])
    found = [text[: braces.start()] + choice + end for choice in _choices(inside, text) for end in rest]
    if len(found) > MAX_SHARDS:
        raise UsageError(f"{text} names {len(found):,} shards, more than the limit of {MAX_SHARDS:,}.")
    return found


def key_prefixes(names: Sequence[str]) -> list[str]:
    """For each shard what tells its keys from those of the others: its name without the end, after what all share."""
    folders = [name.rpartition("/")[0] for name in names]
    shared = os.path.commonpath(folders) if len(set(folders)) > 1 and not any(map(is_remote, names)) else ""
    bare = [_without_suffix(name) for name in names]
    if len(set(folders)) == 1:
        return [name.rpartition("/")[2] for name in bare]
    return [name.removeprefix(shared).lstrip("/") if shared else name for name in bare]


def _choices(inside: str, text: str) -> list[str]:
    if bounds := _RANGE.fullmatch(inside):
        first, last = int(bounds[1]), int(bounds[2])
        if last < first:
            raise UsageError(f"{text}: the range {{{inside}}} goes down.")
        if last - first >= MAX_SHARDS:
            raise UsageError(f"{text} names {last - first + 1:,} shards, over the limit of {MAX_SHARDS:,}.")
        return [f"{number:0{len(bounds[1])}d}" for number in range(first, last + 1)]
    if "," in inside:
        return [choice.strip() for choice in inside.split(",")]
    raise UsageError(f"{text}: {{{inside}}} is neither a range such as {{0000..0127}} nor a list such as {{a,b}}.")


def _remote(name: str) -> list[str]:
    if not name.endswith("/"):
        return [name]
    found = [address for address in list_folder(name) if is_shard_name(address.partition("?")[0])]
    if not found:
        raise UsageError(f"{name} holds no shards.")
    return found


def _local(name: str) -> list[str]:
    path = os.path.expanduser(name)  # noqa: PTH111
    if any(sign in path for sign in "*?["):
        found = sorted(glob.glob(path))  # noqa: PTH207 - absolute patterns are fine here
        if not found:
            raise UsageError(f"No shard matches {name}.")
        return found
    return shards_in(Path(path)) if Path(path).is_dir() else [path]


def _missing(missing: list[str], found: list[str]) -> str:
    first = Path(missing[0])
    if len(found) == 1:
        near = did_you_mean(first.name, os.listdir(first.parent)) if first.parent.is_dir() else ""  # noqa: PTH208
        return f"There is no shard {first}.{near}"
    return f"{len(missing):,} of {len(found):,} shards are not there, such as {first}."


def _without_suffix(name: str) -> str:
    lower = name.lower()
    return next((name[: -len(suffix)] for suffix in SHARD_SUFFIXES if lower.endswith(suffix)), name)


def _is_shard(name: str) -> bool:
    return is_shard_name(name) and not name.startswith(".")
