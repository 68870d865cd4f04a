"""From a tar to its index: every header is read once, and every text; no picture is.

Members are grouped by key wherever they stand. What cannot be used is counted and named, and the rest is kept: a tar
that is cut off in the middle gives the samples that are whole.
"""

import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lexel.data.shards.index import VERSION, ShardIndex, digest_of
from lexel.data.shards.samples import (
    MAX_TEXT_BYTES,
    Fields,
    FieldUse,
    Problems,
    SampleText,
    is_text,
    picture_member,
    read_text,
)
from lexel.data.texts import Texts
from lexel.errors import DataError

BLOCK = 512  # bytes of a tar
LOOK_BEYOND = 1 << 20  # bytes after a tar's end in which another one is looked for


@dataclass(slots=True)
class _Members:
    members: dict[str, tuple[int, int]] = field(default_factory=dict)  # extension → where, bytes
    texts: dict[str, bytes] = field(default_factory=dict)


def scan(shard: Path, fields: Fields) -> ShardIndex:
    """The index of a plain tar. Raises DataError where it is no tar at all or cannot be read."""
    state = shard.stat()
    problems = Problems()
    try:
        with shard.open("rb") as file:
            samples, cut_off = _read_members(file, state.st_size, fields, problems)
    except OSError as error:
        raise DataError(f"{shard} cannot be read: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise DataError(f"{shard} is not a tar: {error}") from error
    facts = {
        "version": VERSION,
        "fields": str(fields),
        "size": state.st_size,
        "time": state.st_mtime_ns,
        "digest": digest_of(shard),
        "cut_off": cut_off,
    }
    return _index(samples, fields, problems, facts)


def _read_members(
    file: BinaryIO, size: int, fields: Fields, problems: Problems
) -> tuple[dict[str, _Members], str | None]:
    """The samples by key, in the order in which they come, and in which way the tar is not whole."""
    samples: dict[str, _Members] = {}
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while True:
            try:
                member = tar.next()
            except tarfile.ReadError:  # cut off within a member
                return samples, "is cut off"
            tar.members.clear()  # type: ignore[attr-defined] - or it keeps an object for each of them
            if member is None:
                return samples, _how_it_ends(file, tar.offset, size)
            if not member.isreg():
                continue
            if member.offset_data + member.size > size:
                return samples, "is cut off"
            _take(file, member, samples, fields, problems)


def _take(
    file: BinaryIO, member: tarfile.TarInfo, samples: dict[str, _Members], fields: Fields, problems: Problems
) -> None:
    key, extension = split_name_of_member(member.name)
    if not key.rpartition("/")[2] or not extension:
        return
    sample = samples.setdefault(key, _Members())
    if extension in sample.members:
        problems.add("members skipped, because an earlier one has the same name", f"{key}.{extension}")
        return
    sample.members[extension] = (member.offset_data, member.size)
    if not is_text(extension, fields):
        return
    if member.size > MAX_TEXT_BYTES:
        problems.add(f"texts over {MAX_TEXT_BYTES >> 20} MB, passed over", f"{key}.{extension}")
        return
    file.seek(member.offset_data)
    sample.texts[extension] = file.read(member.size)


def split_name_of_member(name: str) -> tuple[str, str]:
    """Key and extension of a member, which begins after the first dot of the file's name, in lower case.

    split_name_of_member("train/a.seg.PNG")  →  ("train/a", "seg.png")
    """
    folder, slash, base = name.encode("utf-8", "backslashreplace").decode().removeprefix("./").rpartition("/")
    stem, _, extension = base.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def _how_it_ends(file: BinaryIO, end: int, size: int) -> str | None:
    """None for a whole tar; tarfile takes a damaged header, and the end of a file, for the end of the tar."""
    file.seek(end)
    mark = file.read(BLOCK)
    if mark.count(0) != BLOCK:
        return "is damaged" if len(mark) == BLOCK else "is cut off"
    beyond = file.read(LOOK_BEYOND)
    if beyond.strip(b"\0"):
        return "has data after its end, which is not read: join tars by tar -A, not by cat"
    return None


def _index(samples: dict[str, _Members], fields: Fields, problems: Problems, facts: dict[str, object]) -> ShardIndex:
    keys: list[str] = []
    said: list[SampleText] = []
    places: list[tuple[int, int, int, int]] = []
    use = FieldUse()
    for key, sample in samples.items():
        image = picture_member(list(sample.members), fields)
        use.see(sample.members, use.members)
        text = read_text(key, sample.texts, fields, problems, use)
        sample.texts.clear()
        if image is None:
            problems.add("samples without a picture", key)
            continue
        if not text.captions and text.label is None:
            problems.add("samples without a caption or label", key)
        if fields.image is not None:
            use.used.add(fields.image)
        keys.append(key)
        said.append(text)
        places.append((*sample.members[image], *sample.members.get("json", (0, 0))))
    labels = sorted({text.label for text in said if text.label is not None})
    code = {label: number for number, label in enumerate(labels)}
    own_keys = bool(said) and all(text.pair_key is not None for text in said)
    key_content, key_ends = Texts.pack([text.pair_key or "" for text in said] if own_keys else keys)
    content, ends = Texts.pack(caption for text in said for caption in text.captions)
    where = np.array(places, np.int64).reshape(-1, 4)
    arrays = {
        "image_at": where[:, 0],
        "image_size": where[:, 1],
        "json_at": where[:, 2],
        "json_size": where[:, 3],
        "keys": key_content,
        "key_ends": key_ends,
        "captions": content,
        "caption_ends": ends,
        "captions_until": np.cumsum([len(text.captions) for text in said], dtype=np.int64),
        "labels": np.array([-1 if text.label is None else code[text.label] for text in said], np.int32),
    }
    if any(text.weights for text in said):
        weights = [weight for text in said for weight in text.weights or [np.nan] * len(text.captions)]
        arrays["caption_weights"] = np.array(weights, np.float64)  # NaN: the sample has none
    if fields.names:
        facts["fields"] = use.to_json()
    facts |= {"labels": labels, "own_keys": own_keys, "problems": problems.to_json()}
    return ShardIndex(arrays, facts)
