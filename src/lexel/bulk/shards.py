"""Bulk embedding shared out among machines that need not know of each other.

A source is cut into shards of so many pairs, whoever works on it: shard 7 is always the same pairs, and becomes the
same file. Part k of N is every Nth shard, so `--part 3/16` means the same under Slurm, Kubernetes or in a shell, and a
part that is run twice, or twice at once, or by another N, gives the same files again.

    OUT/_plan.json          what is embedded by which model; a worker with another is refused
    OUT/000000.parquet …    the shards, each whole or not there; its metadata says what it was made of
    OUT/_bad-images.jsonl   the pictures that could not be read
    OUT/_manifest.json      written last, when every shard is there and fits the plan; names them with their rows

Whichever worker finishes last writes the manifest. There is no other coordination.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self

from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.table import as_lines, embedding_table, unreadable_in
from lexel.data.pairs import ImageFile, Pair, Source
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError
from lexel.progress import say

FORMAT = 1
ROWS = 8192  # pairs in a shard
PLAN, MANIFEST, BAD_IMAGES = "_plan.json", "_manifest.json", "_bad-images.jsonl"
READ_AT_ONCE = 16  # footers


@dataclass(frozen=True, slots=True)
class Part:
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


WHOLE = Part()


@dataclass(frozen=True)
class Plan:
    """What is embedded: the same for every worker."""

    model: str
    fingerprint: str
    dimensions: int
    source: str  # as this worker's user wrote it
    pairs: int
    pairs_digest: str  # of their keys, captions and labels
    rows: int  # pairs in a shard
    format: int = FORMAT

    @classmethod
    def of(cls, encoder: Encoder, source: Source, rows: int) -> Self:
        digest = hashlib.blake2b(digest_size=16)
        for pair in source.pairs:
            digest.update(repr((pair.key, pair.captions, pair.label)).encode("utf-8", "surrogatepass"))
        size = len(source.pairs)
        return cls(encoder.name, encoder.fingerprint, encoder.dimensions, source.name, size, digest.hexdigest(), rows)

    @property
    def shards(self) -> int:
        return -(-self.pairs // self.rows)

    @cached_property
    def identity(self) -> str:
        """Equal where all is that decides what is written; names may differ from machine to machine."""
        facts = (self.format, self.fingerprint, self.dimensions, self.pairs, self.pairs_digest, self.rows)
        return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()

    def piece(self, source: Source, shard: int) -> Sequence[Pair]:
        """The pairs of a shard."""
        return source.pairs[shard * self.rows : (shard + 1) * self.rows]


@dataclass(frozen=True, slots=True)
class Shard:
    """What a written shard says of itself."""

    file: str
    rows: int
    unreadable: tuple[tuple[str, str], ...]  # (key, reason)
    plan: str  # its identity
    fingerprint: str
    pictures: str  # what state they were in


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of a finished job."""

    images: int
    unreadable: int
    shards: int


@dataclass(frozen=True, slots=True)
class PartDone:
    """What came of one part."""

    plan: Plan
    written: int  # shards
    kept: int  # that were there already
    to_come: int  # of all parts
    manifest: Manifest | None  # once nothing is to come


def embed_part(
    encoder: Encoder, source: Source, folder: OutputFolder, part: Part = WHOLE, rows: int | None = None
) -> PartDone:
    """Embed this part of the source, or what of it is not there yet; when it was the last one, finish the job.

    `rows` is the pairs in a shard, by itself those of the plan that is there. Raises UsageError when the folder is of
    another model or source, and DataError when not one picture of a finished job could be read.
    """
    plan = begin(encoder, source, folder, rows)
    mine = part.shards(plan.shards)
    lacking = lacking_shards(plan, source, folder, mine)
    for count, shard in enumerate(lacking, start=1):
        what = f"Embedding shard {count} of {len(lacking)}" if len(lacking) > 1 else "Embedding"
        write_shard(encoder, plan, folder, shard, plan.piece(source, shard), what)
    return PartDone(plan, len(lacking), len(mine) - len(lacking), *finish(plan, folder))


def begin(encoder: Encoder, source: Source, folder: OutputFolder, rows: int | None = None) -> Plan:
    """The plan of the job in this folder, written there by the first worker. Raises UsageError for another one's."""
    names = folder.names()
    if PLAN not in names:
        if names:
            raise UsageError(f"{folder.given} holds other files. Give an empty or a new folder: -o {_other(folder)}")
        folder.write(PLAN, json.dumps(asdict(Plan.of(encoder, source, rows or ROWS)), indent=2).encode())
    there = read_plan(folder)  # also what was just written: another job may have begun here at the same moment
    plan = Plan.of(encoder, source, rows or there.rows)
    if plan.identity != there.identity:
        raise UsageError(f"{folder.given} was begun with {_difference(plan, there)}\nGive another: -o {_other(folder)}")
    return plan


def read_plan(folder: OutputFolder) -> Plan:
    """The plan that is there. Raises UsageError where there is none, and DataError for one that cannot be read."""
    if PLAN not in folder.names():
        raise UsageError(f"Nothing has been embedded into {folder.given} yet.")
    try:
        facts = json.loads(folder.read(PLAN))
        if facts["format"] != FORMAT:
            raise ValueError
        return Plan(**facts)
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{folder.given}: {PLAN} is damaged, or of another version of Lexel.") from None


def lacking_shards(plan: Plan, source: Source, folder: OutputFolder, among: Sequence[int]) -> list[int]:
    """Which of these shards are not there, or of pictures that have changed since; says how many are."""
    names = folder.names()
    there = [number for number in among if shard_name(number) in names]
    whole = {shard.file: shard for shard in read_shards(folder, map(shard_name, there))}
    kept = {
        number
        for number in there
        if (shard := whole.get(shard_name(number))) is not None
        and (shard.plan, shard.pictures) == (plan.identity, _state(plan.piece(source, number)))
    }
    if kept:
        say(f"{len(kept):,} of {len(among):,} shards are there already and are kept.")
    if len(kept) < len(among):
        folder.remove(MANIFEST)  # nothing is finished now
    return [number for number in among if number not in kept]


def shard_name(number: int) -> str:
    return f"{number:06}.parquet"


def write_shard(
    encoder: Encoder, plan: Plan, folder: OutputFolder, number: int, pairs: Sequence[Pair], what: str | None = None
) -> int:
    """Embed one shard and put it there, in the place of an older one; how many rows it has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {"lexel.plan": plan.identity, "lexel.pictures": _state(pairs)}
    table = embedding_table(encoder, pairs, what, facts)
    content = pa.BufferOutputStream()
    pq.write_table(table, content)
    folder.write(shard_name(number), content.getvalue().to_pybytes())
    return len(table)


def read_shards(folder: OutputFolder, names: Iterable[str]) -> list[Shard]:
    """What these shards say of themselves, less the damaged ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(name: str) -> Shard | None:
        try:
            with folder.reading(name) as file:
                footer = pq.read_metadata(file)
            said = footer.metadata
            texts = (said[key].decode() for key in (b"lexel.plan", b"lexel.fingerprint", b"lexel.pictures"))
            return Shard(name, footer.num_rows, tuple(unreadable_in(said)), *texts)
        except (pa.ArrowInvalid, KeyError, TypeError):
            return None

    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        return [shard for shard in pool.map(read, names) if shard is not None]


def finish(plan: Plan, folder: OutputFolder) -> tuple[int, Manifest | None]:
    """Write the manifest when every shard is there and fits the plan; how many are to come, and the manifest.

    Raises DataError when all are there and hold not one picture.
    """
    # Listed after the caller's last shard was written: of workers that end together, at least one sees all.
    expected = [shard_name(number) for number in range(plan.shards)]
    there = folder.names()
    to_come = sum(name not in there for name in expected)
    if to_come:
        return to_come, None
    shards = [shard for shard in read_shards(folder, expected) if shard.plan == plan.identity]
    if len(shards) < len(expected):
        return len(expected) - len(shards), None
    unreadable = [bad for shard in shards for bad in shard.unreadable]
    manifest = Manifest(sum(shard.rows for shard in shards), len(unreadable), len(shards))
    if unreadable:
        folder.write(BAD_IMAGES, as_lines(unreadable).encode())
    else:
        folder.remove(BAD_IMAGES)
    if not manifest.images:
        key, reason = unreadable[0]
        raise DataError(f"{plan.source}: none of its {len(unreadable):,} images could be read.\n  {key}: {reason}")
    files = [{"file": shard.file, "rows": shard.rows, "unreadable": len(shard.unreadable)} for shard in shards]
    content = {**asdict(plan), "images": manifest.images, "unreadable": manifest.unreadable, "files": files}
    folder.write(MANIFEST, json.dumps(content, indent=2).encode())
    return 0, manifest


def _state(pairs: Sequence[Pair]) -> str:
    """Size and time of the picture files: what tells that one has changed."""
    digest = hashlib.blake2b(digest_size=8)
    for pair in pairs:
        if isinstance(pair.picture, ImageFile) and pair.picture.path.exists():
            state = pair.picture.path.stat()
            digest.update(f"{pair.key} {state.st_size} {state.st_mtime_ns}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _difference(plan: Plan, there: Plan) -> str:
    if plan.fingerprint != there.fingerprint:
        return f"{there.model} ({there.fingerprint}); this is {plan.model} ({plan.fingerprint})."
    if plan.rows != there.rows:
        return f"{there.rows:,} pairs a file, not {plan.rows:,}."
    return f"other pairs: {there.source} had {there.pairs:,}, and this source has {plan.pairs:,} or others."


def _other(folder: OutputFolder) -> str:
    return f"{folder.given.rstrip('/')}-2/"
