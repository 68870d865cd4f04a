"""All shards of a source, pictures resized on all cores; what is there already is not made again.

A shard is a fixed range of the source's pairs and depends on nothing else, so it has the same bytes whatever the number
of cores, and a packing that was killed, or that a full disk has stopped, goes on with the shards that are missing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lexel.batches import ahead, ceil_div, cores
from lexel.data.packing.folder import check_apart, check_folder, remove_other_job, remove_surplus
from lexel.data.packing.manifest import PackJob, PackManifest
from lexel.data.packing.sample import Dropped, PackedSample, pack_sample
from lexel.data.packing.settings import PackSettings
from lexel.data.packing.shard import PackedShard, find_packed, origin_of, write_shard
from lexel.data.pairs import Pair, Source
from lexel.errors import LexelError, UsageError
from lexel.files import make_folder, remove_unfinished
from lexel.progress import say, track
from lexel.terminal import counted

AHEAD = 8  # pictures for each core that are begun before they are asked for


def pack(
    name: str,
    read: Callable[[str], Source],
    folder: Path,
    settings: PackSettings,
    *,
    reading: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> PackManifest:
    """Pack the source of this name into the folder, each of its splits into a folder of its own.

    `read` reads a source by its name, and `reading` says how in a few words: a folder with shards of another source, or
    of the same one that was read or stored otherwise, is refused unless `replace` is given. Raises UsageError where the
    folder holds anything else, and LexelError where the disk is full: the same call goes on then.

        pack("photos.csv", read_source, Path("packed"), PackSettings(size=256)).summary["pairs"]
    """
    job = PackJob(name, settings, reading or {})
    check_apart(name, folder)
    check_folder(folder, job, replace=replace)  # before a source is read that may be large
    return pack_splits(_splits(name, read(name), read), folder, job)


def pack_splits(splits: Mapping[str, Source], folder: Path, job: PackJob) -> PackManifest:
    """Pack what has been read, by split, into a folder that `check_folder` has allowed; under "" what has no split.

    Raises LexelError where the disk is full.
    """
    _check_names(job.source, splits)
    shards: dict[str, tuple[PackedShard, ...]] = {}
    try:
        make_folder(folder)
        remove_unfinished(folder)
        remove_other_job(folder, job)
        PackManifest(job, dict.fromkeys(splits, ()), complete=False).save(folder)
        for split, source in splits.items():
            make_folder(folder / split)
            shards[split] = _pack_split(source, folder / split, job.settings)
        remove_surplus(folder, {folder / split / shard.name for split, done in shards.items() for shard in done})
        manifest = PackManifest(job, shards)
        manifest.save(folder)
    except OSError as error:
        raise LexelError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}.\n"
            "  The shards written so far are complete. Free some space and give the same command again: it continues."
        ) from error
    return manifest


def _splits(name: str, source: Source, read: Callable[[str], Source]) -> Mapping[str, Source]:
    """The source by split; under "" where it has none, or one was named."""
    for note in source.notes:
        say(note)
    if source.split is not None or not source.splits:
        return {"": source}
    _check_names(name, source.splits)
    splits = {split: read(f"{name.rstrip('/')}/{split}") for split in source.splits}
    without = len(source.pairs) - sum(len(of_split.pairs) for of_split in splits.values())
    if without:
        raise UsageError(
            f"{name}: {without:,} of {counted(len(source.pairs), 'pair')} belong to no split, while others do.\n"
            f"  Name the one to pack: {name}/{source.splits[0]}"
        )
    return splits


def _check_names(name: str, splits: Iterable[str]) -> None:
    """Raise UsageError for a split of a name that would lead out of the folder."""
    for split in splits:
        if "/" in split or "\0" in split or split.startswith("."):
            raise UsageError(f'{name}: the split "{split}" cannot be the name of a folder. Give it another name.')


def _pack_split(source: Source, folder: Path, settings: PackSettings) -> tuple[PackedShard, ...]:
    remove_unfinished(folder)
    starts = range(0, len(source.pairs), settings.shard_pairs)
    digits = max(5, len(str(ceil_div(len(source.pairs), settings.shard_pairs))))
    paths = [folder / f"{number:0{digits}d}.tar" for number in range(len(starts))]
    done: list[PackedShard] = []
    progress = _Progress(len(source.pairs), f"Packing {source.name}")
    with ThreadPoolExecutor(cores()) as pool:
        for path, first in zip(paths, starts, strict=True):
            pairs = source.pairs[first : first + settings.shard_pairs]
            origin = origin_of(pairs, first, settings)
            packed = find_packed(path, origin)
            if packed is None:
                samples = progress.pass_on(_samples(pool, pairs, settings))
                packed = write_shard(path, samples, first, origin)
            else:
                progress.skip(len(pairs))
            done.append(packed)
    progress.close()
    return tuple(done)


def _samples(
    pool: ThreadPoolExecutor, pairs: Sequence[Pair], settings: PackSettings
) -> Iterator[PackedSample | Dropped]:
    for packed in ahead(pool, partial(pack_sample, settings=settings), pairs, AHEAD * cores()):
        yield packed.result()


class _Progress:
    """One bar for all shards of a split."""

    def __init__(self, total: int, what: str) -> None:
        self._steps = track(iter(range(total)), what, total=total)

    def skip(self, count: int) -> None:
        for _ in range(count):
            next(self._steps, None)

    def close(self) -> None:
        for _ in self._steps:
            pass

    def pass_on(self, samples: Iterator[PackedSample | Dropped]) -> Iterator[PackedSample | Dropped]:
        for sample in samples:
            self.skip(1)
            yield sample
