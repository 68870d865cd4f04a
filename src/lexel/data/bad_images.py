"""The pictures of a run that could not be read: counted, named in a file, and refused when they are too many."""

import json
from dataclasses import dataclass
from pathlib import Path

from lexel.errors import DataError

_NAMED = 3  # of the bad pictures, in the message


@dataclass(frozen=True, slots=True)
class BadImage:
    """The key of a picture and why it could not be read."""

    key: str
    reason: str


class BadImages:
    """Collects bad pictures in a JSON-lines file; opened again on the same file it goes on without naming any twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reasons: dict[str, str] = {}
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:  # killed while writing its last line
            with path.open("r+b") as file:
                file.truncate(len(whole))
        for line in whole.splitlines():
            known = json.loads(line)
            self._reasons[known["key"]] = known["reason"]

    @property
    def count(self) -> int:
        """How many distinct pictures are bad."""
        return len(self._reasons)

    @property
    def found(self) -> list[BadImage]:
        """All of them, in the order in which they were found."""
        return [BadImage(key, reason) for key, reason in self._reasons.items()]

    def add(self, key: str, reason: str) -> None:
        """Note one more, and write it down at once; what is noted already is not noted again."""
        if key in self._reasons:
            return
        self._reasons[key] = reason
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps({"key": key, "reason": reason}) + "\n")

    def check(self, total: int, max_share: float) -> None:
        """Raise DataError when more than `max_share` (0..1) of `total` pictures are bad."""
        if self.count <= max_share * total:
            return
        first = "; ".join(f"{bad.key} ({bad.reason})" for bad in self.found[:_NAMED])
        raise DataError(
            f"{self.count:,} of {total:,} images ({self.count / max(total, 1):.1%}) cannot be read, more than the"
            f" allowed {max_share:.1%}: {first}{' …' if self.count > _NAMED else ''}\n"
            f"  Names and reasons are in {self.path}. Mend them, or raise data.max_bad_share."
        )
