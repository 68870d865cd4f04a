"""From the text that names shards to a Source: each is indexed once, and its pairs are made when they are asked for."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lexel.data.pairs import Source
from lexel.data.readers.splits import split_name
from lexel.data.remote import fetch_all, is_remote
from lexel.data.shards.index import ShardIndex, index_path, load_index, save_index, sidecar_path
from lexel.data.shards.names import expand, is_unfinished, key_prefixes, named_split, shards_in, split_folders
from lexel.data.shards.pairs import Shard, ShardPairs
from lexel.data.shards.samples import EXAMPLES, Fields, Problems
from lexel.data.shards.scan import scan
from lexel.data.shards.unpack import is_compressed, unpacked
from lexel.errors import DataError, UnfitSettingError, UsageError, did_you_mean
from lexel.progress import track
from lexel.terminal import counted

_UNFINISHED = "lexel data prepare was cut off here, and not all pairs are there; the same command again continues"


def read_shards(text: str, fields: Fields, *, prefer: Sequence[str] = (), keep_fields: bool = False) -> Source:
    """The pairs of the shards that the text names, and what is wrong with them.

    A folder whose sub-folders train, val and test hold shards has these splits: the one behind its name, else the first
    of `prefer`, else all. Raises UsageError where a shard is not there, DataError where none can be read.

        read_shards("shards/{0000..0127}.tar", Fields()).pairs[0].captions
    """
    names, split, splits, notes = _choose(text, prefer)
    shards, found = _open(names, fields)
    notes = [*notes, *found]
    _check_named(text, shards, fields)
    pairs = ShardPairs(shards, keep_fields)
    if not len(pairs):
        raise DataError(f"{text}: {counted(len(names), 'shard holds', 'shards hold')} no pictures.{_first(found)}")
    numbers = _split_numbers(shards, splits) if splits and split is None else None
    return Source(name=text, pairs=pairs, notes=tuple(notes), split=split, splits=splits, split_numbers=numbers)


def _split_numbers(shards: Sequence[Shard], splits: Sequence[str]) -> np.ndarray:
    """(N,) int8: the split of each pair, by the folder of its shard, with which the keys begin if there are several."""
    of_shard = [splits.index(split_name(shard.prefix.partition("/")[0])) if splits[1:] else 0 for shard in shards]
    return np.repeat(np.array(of_shard, np.int8), [len(shard.index) for shard in shards])


def _check_named(text: str, shards: Sequence[Shard], fields: Fields) -> None:
    """Raise UnfitSettingError where something was named that no sample has."""
    facts = [shard.index.facts["fields"] for shard in shards] if fields.names else []
    used = {name for one in facts for name in one["used"]}
    unknown = next((name for name in fields.names if name not in used), None)
    if unknown is None:
        return
    members, inside = (dict.fromkeys(name for one in facts for name in one[kind]) for kind in ("members", "fields"))
    has = f"  Samples have {', '.join(members)}" + (f", and in the json {', '.join(inside)}." if inside else ".")
    near = did_you_mean(unknown, [*members, *inside])
    raise UnfitSettingError(f'{text}: no sample has a value for "{unknown}".{near}\n{has}')


def check_shards(text: str) -> None:
    """Raise UsageError where a shard that the text names is not there; what lies at an address is not looked for."""
    if not is_remote(text):
        _choose(text, ())


def _choose(text: str, prefer: Sequence[str]) -> tuple[list[str], str | None, tuple[str, ...], list[str]]:
    """The shards, their split, all splits that there are, and what to say of them."""
    asked = named_split(text)
    folder = asked[0] if asked else Path(text).expanduser()
    of_split = split_folders(folder) if folder.is_dir() else {}
    cut_off = [_UNFINISHED] if folder.is_dir() and is_unfinished(folder) else []
    if not of_split:
        return expand(text), None, (), cut_off
    wanted = [split_name(asked[1])] if asked else [split_name(name) for name in prefer]
    taken = next((name for name in wanted if name in of_split), None)
    if asked and taken is None:
        raise UsageError(
            f'{folder} has no split "{asked[1]}".{did_you_mean(asked[1], of_split)}\n  It has: {", ".join(of_split)}.'
        )
    if taken is not None:
        others = "" if asked else f" of {', '.join(of_split)}; another is named by {text.rstrip('/')}/NAME"
        return shards_in(of_split[taken]), taken, tuple(of_split), [f'split "{taken}" taken{others}', *cut_off]
    names = [name for below in of_split.values() for name in shards_in(below)]
    return names, None, tuple(of_split), [f"all splits taken: {', '.join(of_split)}", *cut_off]


def _open(names: Sequence[str], fields: Fields) -> tuple[list[Shard], list[str]]:
    shards: list[Shard] = []
    notes: list[str] = []
    problems = Problems()
    ends: dict[str, list[str]] = {}
    copies = dict(zip(filter(is_remote, names), fetch_all(list(filter(is_remote, names))), strict=True))
    for name, prefix in track(list(zip(names, key_prefixes(names), strict=True)), "Indexing shards"):
        try:
            shard = open_shard(copies.get(name, Path(name)), prefix if len(names) > 1 else "", fields)
        except DataError as error:
            notes.append(f"left out: {error}")
            continue
        shards.append(shard)
        problems.merge(shard.index.facts["problems"], prefix)
        if (how := shard.index.facts["cut_off"]) is not None:
            ends.setdefault(how, []).append(f"{name} after {counted(len(shard.index), 'sample')}")
    if not shards:
        raise DataError(notes[0].removeprefix("left out: ") if notes else "There are no shards.")
    for how, which in ends.items():
        notes.append(f"{len(which):,} of {len(names):,} shards {_are(how, len(which))}: {_few(which)}")
    return shards, [_summary(shards), *notes, *problems.notes()]


def open_shard(path: Path, prefix: str, fields: Fields) -> Shard:
    """A shard with its index, which is made where there is none yet. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path} is not a regular file.")
    tar = unpacked(path) if is_compressed(path) else path
    beside = sidecar_path(tar)
    if fields == Fields() and (index := load_index(beside, tar, str(fields))) is not None:
        return Shard(tar, prefix, fields, beside, index)
    stored = index_path(tar, str(fields))
    if (index := load_index(stored, tar, str(fields))) is not None:
        return Shard(tar, prefix, fields, stored, index)
    index = scan(tar, fields)
    try:
        save_index(stored, index)
    except OSError:  # a full or read-only disk: the arrays stay in memory
        return Shard(tar, prefix, fields, None, index)
    mapped: ShardIndex | None = load_index(stored, tar, str(fields))
    return Shard(tar, prefix, fields, stored if mapped else None, mapped or index)


def _summary(shards: Sequence[Shard]) -> str:
    samples = sum(len(shard.index) for shard in shards)
    captions = sum(len(shard.index.arrays["caption_ends"]) for shard in shards)
    labels = Counter(label for shard in shards for label in shard.index.facts["labels"])
    said = [counted(len(shards), "shard"), counted(samples, "image"), counted(captions, "caption")]
    return ", ".join([*said, counted(len(labels), "label")] if labels else said)


def _are(how: str, count: int) -> str:
    if count == 1:
        return how
    return how.replace("is ", "are ", 1).replace("has ", "have ", 1).replace("its end", "their end")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:EXAMPLES]) + (" …" if len(names) > EXAMPLES else "")


def _first(notes: Sequence[str]) -> str:
    return "".join(f"\n  {note}" for note in notes[1:2])
