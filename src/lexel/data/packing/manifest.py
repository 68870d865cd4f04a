"""What a packing has written, what it has dropped and why: `manifest.json` and `dropped.jsonl` beside the shards."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lexel.data.packing.settings import PackSettings
from lexel.data.packing.shard import PackedShard
from lexel.data.shards.names import MANIFEST
from lexel.files import write_atomically
from lexel.version import __version__

DROPPED = "dropped.jsonl"


@dataclass(frozen=True)
class PackManifest:
    """What was written. `shards` has those of each split, or of "" where there are no splits."""

    source: str
    settings: PackSettings
    shards: Mapping[str, tuple[PackedShard, ...]]

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
            "source": self.source,
            "settings": self.settings.model_dump() | {"quality": self.settings.chosen_quality},
            "bytes": self.bytes,
            **self.summary,
            "splits": splits,
        }

    def save(self, folder: Path) -> None:
        """Write both files. Raises OSError."""
        lines = [
            json.dumps({"key": key, "split": split or None, "reason": reason, "detail": detail}, ensure_ascii=False)
            for split, shards in self.shards.items()
            for shard in shards
            for key, reason, detail in shard.dropped
        ]
        content = "".join(f"{line}\n" for line in lines)
        write_atomically(folder / DROPPED, content.encode("utf-8", "surrogateescape"))
        written = json.dumps(self.to_json(), ensure_ascii=False, indent=1)
        write_atomically(folder / MANIFEST, written.encode("utf-8", "surrogateescape"))
