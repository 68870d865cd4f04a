"""What a folder of shards is of, what was written and what was dropped: `manifest.json` and `dropped.jsonl`.

The manifest is there from the beginning, with `complete` false until all is written. So a folder always says what it is
of, and another source, or the same one at another size, is never packed over it by mistake.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lexel.data.packing.settings import PackSettings
from lexel.data.packing.shard import PackedShard
from lexel.data.readers.mixture import mixture_parts
from lexel.data.remote import is_remote
from lexel.data.shards.names import MANIFEST
from lexel.errors import UsageError
from lexel.files import write_atomically
from lexel.version import __version__

DROPPED = "dropped.jsonl"
SHOWN_CHARACTERS = 60  # of a value in a message


@dataclass(frozen=True, slots=True)
class PackJob:
    """What is asked for: which source, how it is read, and how its pictures are stored."""

    source: str  # as the user wrote it
    settings: PackSettings
    reading: Mapping[str, Any] = field(default_factory=dict)  # columns that were named, or the rules of a filter

    def to_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "source": self.source,
            "place": _place(self.source),
            "reading": json.loads(json.dumps(self.reading)),
            "settings": self.settings.model_dump() | {"quality": self.settings.chosen_quality},
        }

    def differences(self, manifest: Mapping[str, Any]) -> list[str]:
        """In what a manifest is of something else, one phrase each; what an old one does not say is passed over."""
        asked = self.to_json()
        there = manifest.get("place", _place(str(manifest.get("source"))))
        found = [] if there == asked["place"] else [f"{manifest.get('source')} and not {self.source}"]
        stored = manifest.get("settings")
        for name, value in asked["settings"].items():
            before = stored.get(name, value) if isinstance(stored, dict) else value
            if before != value:
                found.append(f"{name} {_short(before)} and not {_short(value)}")
        reading, wanted = manifest.get("reading", asked["reading"]), asked["reading"]
        for name in dict.fromkeys([*reading, *wanted]) if isinstance(reading, dict) else ():
            before, value = (_short(said[name]) if name in said else "the default" for said in (reading, wanted))
            if reading.get(name) != wanted.get(name):
                found.append(f"{name} {before} and not {value}")
        return found


@dataclass(frozen=True)
class PackManifest:
    """What was written. `shards` has those of each split, or of "" where there are no splits."""

    job: PackJob
    shards: Mapping[str, tuple[PackedShard, ...]]
    complete: bool = True

    @property
    def _all(self) -> list[PackedShard]:
        return [shard for of_split in self.shards.values() for shard in of_split]

    @property
    def bytes(self) -> int:
        return sum(shard.bytes for shard in self._all)

    @property
    def summary(self) -> dict[str, Any]:
        """`pairs` and `captions` written, `images` read, `bad` ones of them, and the reasons why pairs were dropped."""
        dropped = Counter(reason for shard in self._all for _, reason, _ in shard.dropped)
        pairs = sum(shard.pairs for shard in self._all)
        return {
            "pairs": pairs,
            "images": pairs + dropped.total(),
            "bad": dropped.total(),
            "captions": sum(shard.captions for shard in self._all),
            "dropped": dict(dropped.most_common()),
        }

    def to_json(self) -> dict[str, Any]:
        """All of it but the dropped pairs one by one."""
        splits = {
            split: [{name: value for name, value in asdict(shard).items() if name != "dropped"} for shard in shards]
            for split, shards in self.shards.items()
        }
        return {
            "lexel": __version__,
            "complete": self.complete,
            **self.job.to_json(),
            "bytes": self.bytes,
            **self.summary,
            "splits": splits,
        }

    def save(self, folder: Path) -> None:
        """Write both files, or the manifest alone before anything else is there. Raises OSError."""
        lines = [
            json.dumps({"key": key, "split": split or None, "reason": reason, "detail": detail}, ensure_ascii=False)
            for split, shards in self.shards.items()
            for shard in shards
            for key, reason, detail in shard.dropped
        ]
        if self.complete:
            content = "".join(f"{line}\n" for line in lines)
            write_atomically(folder / DROPPED, content.encode("utf-8", "surrogateescape"))
        written = json.dumps(self.to_json(), ensure_ascii=False, indent=1)
        write_atomically(folder / MANIFEST, written.encode("utf-8", "surrogateescape"))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What the manifest of a packing says, None where there is none. Raises UsageError for a file of another kind."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not {"lexel", "source", "settings", "splits"} <= content.keys():
        raise UsageError(
            f"{path} was not written by lexel data prepare, and is not written over.\n  Name another folder."
        )
    return content


def _place(source: str) -> str:
    """The source whatever the folder that it is named from."""
    if parts := mixture_parts(source):
        return "mix:" + ",".join(f"{part.share:.6g}*{_place(part.source)}" for part in parts)
    if "::" in source:
        return "::".join(map(_place, source.split("::")))
    if is_remote(source) or (re.match(r"[a-z][\w-]+:", source) and not os.path.exists(source)):  # noqa: PTH110
        return source
    return os.path.abspath(os.path.expanduser(source))  # noqa: PTH100, PTH111 - links stay as they are named


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 1]}…"
