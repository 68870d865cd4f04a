"""Bulk embedding shared out among machines that need not know of each other.

A source is cut into shards (`plan`), each of which becomes one Parquet file. A part that is run twice, or twice at
once, or by another N, gives the same files again.

    OUT/_plan.json          what is embedded by which model; a worker with another is refused
    OUT/000000.parquet …    the shards, each whole or not there; its metadata says what it was made of
    OUT/_bad-images.jsonl   what could not be embedded
    OUT/_manifest.json      written last, when every shard is there and fits the plan; names them with their rows

Whichever worker finishes last writes the manifest. There is no other coordination.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from lexel.bulk.items import BulkItem, ItemSource, described, pictures_state
from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import WHOLE, EmbeddingPart, EmbeddingPlan, begin
from lexel.bulk.table import TRUNCATED, as_lines, embedding_table, unreadable_in
from lexel.encoder import Encoder
from lexel.errors import DataError
from lexel.progress import say
from lexel.terminal import counted

MANIFEST, BAD_IMAGES = "_manifest.json", "_bad-images.jsonl"
FOOTERS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """What a written shard says of itself."""

    file: str
    rows: int
    unreadable: tuple[tuple[str, str], ...]  # (key, reason)
    truncated: int  # texts
    plan: str  # its identity
    content: str  # a digest of its items
    pictures: str  # what state their files were in


@dataclass(frozen=True, slots=True)
class EmbeddingManifest:
    """All of a finished job."""

    images: int  # pictures, or texts, that were embedded
    unreadable: int
    truncated: int  # texts longer than the model reads
    shards: int


@dataclass(frozen=True, slots=True)
class PartDone:
    """What came of one part."""

    plan: EmbeddingPlan
    written: int  # shards
    kept: int  # that were there already
    to_come: int  # of all parts
    manifest: EmbeddingManifest | None  # once nothing is to come


def embed_part(
    encoder: Encoder, source: ItemSource, folder: OutputFolder, part: EmbeddingPart = WHOLE, rows: int | None = None
) -> PartDone:
    """Embed this part of the source, or what of it is not there yet; when it was the last one, finish the job.

    `rows` is the items in a shard, by default those of the plan that is there. Raises UsageError when the folder is of
    another model or source, and DataError when nothing of a finished job could be read.
    """
    plan = begin(encoder, source, folder, rows)
    mine = part.shards(plan.shards)
    lacking = lacking_shards(plan, source, folder, mine)
    write_shards(encoder, plan, source, folder, lacking)
    return PartDone(plan, len(lacking), len(mine) - len(lacking), *finish(plan, folder))


def lacking_shards(
    plan: EmbeddingPlan, source: ItemSource, folder: OutputFolder, among: Sequence[int], *, any_plan: bool = False
) -> list[int]:
    """Which of these shards are not there, or of items that have changed since; says how many are.

    With `any_plan` a shard is kept whatever plan it was written by, as long as its own items and pictures are the same.
    """
    names = folder.names()
    there = [number for number in among if shard_name(number) in names]
    whole = {shard.file: shard for shard in read_shards(folder, map(shard_name, there))}

    def is_kept(number: int) -> bool:
        shard = whole.get(shard_name(number))
        if shard is None or shard.pictures != pictures_state(plan.piece(source, number)):
            return False
        return (
            shard.content == content_of(plan, plan.piece(source, number)) if any_plan else shard.plan == plan.identity
        )

    kept = {number for number in there if is_kept(number)}
    if kept:
        say(f"{len(kept):,} of {counted(len(among), 'shard')} kept from before.")
    if len(kept) < len(among):
        folder.remove(MANIFEST)  # nothing is finished now
    return [number for number in among if number not in kept]


def shard_name(number: int) -> str:
    """The name of a shard's file."""
    return f"{number:06}.parquet"


def content_of(plan: EmbeddingPlan, items: Sequence[BulkItem]) -> str:
    """A digest of all that decides what a shard holds, but for the state of its picture files."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(repr((plan.fingerprint, plan.dimensions, plan.kind, plan.extras.facts)).encode())
    for item in items:
        digest.update(repr((described(item), item.extras)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def write_shards(
    encoder: Encoder, plan: EmbeddingPlan, source: ItemSource, folder: OutputFolder, numbers: Sequence[int]
) -> None:
    """Embed these shards one after the other, and put them there."""
    for count, number in enumerate(numbers, start=1):
        what = f"Embedding shard {count} of {len(numbers)}" if len(numbers) > 1 else "Embedding"
        write_shard(encoder, plan, folder, number, plan.piece(source, number), what)


def write_shard(
    encoder: Encoder,
    plan: EmbeddingPlan,
    folder: OutputFolder,
    number: int,
    items: Sequence[BulkItem],
    what: str | None = None,
) -> int:
    """Embed one shard and put it there, in the place of an older one; how many rows it has."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {
        "lexel.plan": plan.identity,
        "lexel.content": content_of(plan, items),
        "lexel.pictures": pictures_state(items),
    }
    table = embedding_table(encoder, items, what, plan.extras, facts)
    content = pa.BufferOutputStream()
    pq.write_table(table, content)
    folder.write(shard_name(number), content.getvalue().to_pybytes())
    return len(table)


def read_shards(folder: OutputFolder, names: Iterable[str]) -> list[WrittenShard]:
    """What these shards say of themselves, less the damaged ones."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def read(name: str) -> WrittenShard | None:
        try:
            with folder.reading(name) as file:
                footer = pq.read_metadata(file)
            said = footer.metadata
            plan, pictures = said[b"lexel.plan"].decode(), said[b"lexel.pictures"].decode()
            content, truncated = said.get(b"lexel.content", b"").decode(), int(said.get(TRUNCATED, b"0"))
            return WrittenShard(name, footer.num_rows, tuple(unreadable_in(said)), truncated, plan, content, pictures)
        except (pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return None

    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        return [shard for shard in pool.map(read, names) if shard is not None]


def finish(plan: EmbeddingPlan, folder: OutputFolder) -> tuple[int, EmbeddingManifest | None]:
    """Write the manifest when every shard is there and fits the plan; how many are to come, and the manifest.

    Raises DataError when all are there and hold nothing.
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
    if unreadable:
        folder.write(BAD_IMAGES, as_lines(unreadable).encode())
    else:
        folder.remove(BAD_IMAGES)
    manifest = summed(plan, shards)
    files = [{"file": shard.file, "rows": shard.rows, "unreadable": len(shard.unreadable)} for shard in shards]
    content = {**asdict(plan), "images": manifest.images, "unreadable": manifest.unreadable, "files": files}
    folder.write(MANIFEST, json.dumps(content, indent=2).encode())
    return 0, manifest


def summed(plan: EmbeddingPlan, shards: Sequence[WrittenShard]) -> EmbeddingManifest:
    """What all shards hold together. Raises DataError when that is nothing."""
    images = sum(shard.rows for shard in shards)
    unreadable = [bad for shard in shards for bad in shard.unreadable]
    if not images:
        key, reason = unreadable[0]
        raise DataError(f"{plan.source}: none of its {len(unreadable):,} {plan.kind} could be read.\n  {key}: {reason}")
    return EmbeddingManifest(images, len(unreadable), sum(shard.truncated for shard in shards), len(shards))
