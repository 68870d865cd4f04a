"""The plan of a bulk embedding: how a source is cut into shards, the same for every worker.

Shard 7 is always the same items and becomes the same file. Part k of N is every Nth shard, so `--part 3/16` means the
same under Slurm, Kubernetes or in a shell.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

from lexel.batches import ceil_div
from lexel.bulk.extra_columns import ExtraColumns
from lexel.bulk.items import BulkItem, ItemSource, described, items_of, kind_of
from lexel.bulk.output_folder import OutputFolder
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError

FORMAT = 1
ROWS_PER_SHARD = 8192  # items
PLAN = "_plan.json"


@dataclass(frozen=True, slots=True)
class EmbeddingPart:
    """What one worker does: shards number − 1, number − 1 + of, …"""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, given: str) -> Self:
        """`3/16`, counted from 1. Raises UsageError."""
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", given)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"{given} is no part. Parts are counted from 1: --part 1/16 to --part 16/16.")
        return cls(int(match[1]), int(match[2]))

    def shards(self, count: int) -> range:
        """The numbers of the shards that are this part's, of so many in all."""
        return range(self.number - 1, count, self.of)


WHOLE = EmbeddingPart()


@dataclass(frozen=True)
class EmbeddingPlan:
    """What is embedded: the same for every worker."""

    model: str
    fingerprint: str
    dimensions: int
    source: str  # as this worker's user wrote it
    pairs: int  # pictures or texts
    pairs_digest: str  # of their keys, captions and labels, or of the texts
    rows: int  # items in a shard
    format: int = FORMAT
    kind: str = "images"  # or "texts"
    extra_columns: str = ""  # see ExtraColumns.encoded

    @classmethod
    def of(cls, encoder: Encoder, source: ItemSource, rows: int) -> Self:
        """The plan of embedding this source in shards of so many rows."""
        items = items_of(source)
        extras = ExtraColumns.of(items)
        digest = hashlib.blake2b(digest_size=16)
        for item in items:
            digest.update(repr(described(item)).encode("utf-8", "surrogatepass"))
            if extras.encoded:
                digest.update(repr(item.extras).encode("utf-8", "surrogatepass"))
        return cls(
            model=encoder.name,
            fingerprint=encoder.fingerprint,
            dimensions=encoder.dimensions,
            source=source.name,
            pairs=len(items),
            pairs_digest=digest.hexdigest(),
            rows=rows,
            kind=kind_of(source),
            extra_columns=extras.encoded,
        )

    @property
    def shards(self) -> int:
        """How many there are."""
        return ceil_div(self.pairs, self.rows)

    @cached_property
    def identity(self) -> str:
        """Equal where all is that decides what is written; names may differ from machine to machine."""
        facts: list[Any] = [self.format, self.fingerprint, self.dimensions, self.pairs, self.pairs_digest, self.rows]
        if self.kind != "images" or self.extra_columns:
            facts += [self.kind, self.extras.facts]
        return hashlib.blake2b(repr(tuple(facts)).encode(), digest_size=8).hexdigest()

    @cached_property
    def extras(self) -> ExtraColumns:
        """The other columns of the source's table."""
        return ExtraColumns(self.extra_columns)

    def piece(self, source: ItemSource, shard: int) -> Sequence[BulkItem]:
        """The items of a shard."""
        return items_of(source)[shard * self.rows : (shard + 1) * self.rows]

    def save(self, folder: OutputFolder) -> None:
        """Write it into the folder."""
        folder.write(PLAN, json.dumps(asdict(self), indent=2).encode())


def begin(encoder: Encoder, source: ItemSource, folder: OutputFolder, rows: int | None = None) -> EmbeddingPlan:
    """The plan of the job in this folder, written there by the first worker. Raises UsageError for another one's."""
    names = folder.names()
    if PLAN not in names:
        if names:
            raise UsageError(f"{folder.given} holds other files. Give an empty or a new folder: -o {_other(folder)}")
        EmbeddingPlan.of(encoder, source, rows or ROWS_PER_SHARD).save(folder)
    there = read_plan(folder)  # also what was just written: another job may have begun here at the same moment
    plan = EmbeddingPlan.of(encoder, source, rows or there.rows)
    if plan.identity != there.identity:
        raise UsageError(f"{folder.given} was begun with {_difference(plan, there)}\nGive another: -o {_other(folder)}")
    return plan


def read_plan(folder: OutputFolder) -> EmbeddingPlan:
    """The plan that is there. Raises UsageError where there is none, and DataError for one that cannot be read."""
    if PLAN not in folder.names():
        raise UsageError(f"Nothing has been embedded into {folder.given} yet.")
    try:
        facts = json.loads(folder.read(PLAN))
        if facts["format"] != FORMAT:
            raise ValueError
        return EmbeddingPlan(**facts)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(f"{folder.given}: {PLAN} is damaged, or of another version of Lexel.") from None


def _difference(plan: EmbeddingPlan, there: EmbeddingPlan) -> str:
    if plan.fingerprint != there.fingerprint:
        return f"{there.model} ({there.fingerprint}); this is {plan.model} ({plan.fingerprint})."
    if plan.kind != there.kind:
        return f"{there.kind}, not {plan.kind}."
    if plan.rows != there.rows:
        return f"{there.rows:,} pairs a file, not {plan.rows:,}."
    if plan.extras.facts != there.extras.facts:
        columns = (", ".join(one.extras.names) or "none" for one in (there, plan))
        return "the table's other columns {}; this source has {}.".format(*columns)
    return f"other pairs: {there.source} had {there.pairs:,}, and this source has {plan.pairs:,} or others."


def _other(folder: OutputFolder) -> str:
    return f"{folder.given.rstrip('/')}-2/"
