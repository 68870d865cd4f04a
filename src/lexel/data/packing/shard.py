"""One packed shard: a tar that any WebDataset reader takes, and its index beside it, both written whole or not at all.

The index says from what the shard was made. A shard whose index says so already is not made again.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexel.data.packing.sample import Dropped, PackedSample
from lexel.data.packing.settings import PackSettings
from lexel.data.pairs import ImageFile, Pair, ShardImage, TableImage
from lexel.data.shards.index import ShardIndex, load_index, save_index, sidecar_path
from lexel.data.shards.samples import Fields
from lexel.data.shards.scan import scan
from lexel.files import new_file
from lexel.identity import file_state, sha256_of

FORMAT = 1  # of what this module writes


@dataclass(frozen=True, slots=True)
class PackedShard:
    """What a shard holds."""

    name: str
    pairs: int
    captions: int
    bytes: int
    sha256: str
    dropped: tuple[tuple[str, str, str], ...]  # key, reason, detail


def origin_of(pairs: Sequence[Pair], first: int, settings: PackSettings) -> str:
    """A hash of all that decides a shard: its pairs, their files as they are now, and the settings."""
    digest = hashlib.blake2b(f"{FORMAT} {first} {settings.model_dump_json()}".encode(), digest_size=16)
    for pair in pairs:
        said = (pair.key, _state(pair), pair.label, *pair.captions, *pair.caption_weights)
        digest.update(repr(said).encode("utf-8", "surrogatepass"))
        if pair.extras:
            digest.update(repr(sorted(pair.extras.items())).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def find_packed(path: Path, origin: str) -> PackedShard | None:
    """The shard that is there already, if it is whole and was made from the same."""
    if not path.is_file():
        return None
    index = load_index(sidecar_path(path), path, str(Fields()))
    if index is None or (index.facts.get("packed") or {}).get("origin") != origin:
        return None
    return _packed(path, index, index.facts["packed"])


def is_packed(path: Path) -> bool:
    """Whether a shard was written by this module, by its index."""
    index = load_index(sidecar_path(path), path, str(Fields()))
    return index is not None and "packed" in index.facts


def write_shard(path: Path, samples: Iterable[PackedSample | Dropped], first: int, origin: str) -> PackedShard:
    """Write the samples, which begin with number `first` of the source. Raises OSError, and leaves no tar then."""
    path.unlink(missing_ok=True)
    dropped: list[tuple[str, str, str]] = []
    with new_file(path) as temporary:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            for number, sample in enumerate(samples, start=first):
                if isinstance(sample, Dropped):
                    dropped.append((sample.key, sample.reason, sample.detail))
                    continue
                _add(tar, f"{number:09d}.{sample.suffix}", sample.picture)
                if sample.text:
                    _add(tar, f"{number:09d}.txt", sample.text)
                _add(tar, f"{number:09d}.json", sample.facts)
        packed = {"origin": origin, "sha256": sha256_of(temporary), "dropped": dropped}
        index = scan(temporary, Fields())
        # Before the tar has its name: a tar without an index is somebody else's, and is never written over.
        save_index(sidecar_path(path), ShardIndex(index.arrays, {**index.facts, "packed": packed}))
    return _packed(path, index, packed)


def _packed(path: Path, index: ShardIndex, packed: dict[str, Any]) -> PackedShard:
    return PackedShard(
        name=path.name,
        pairs=len(index),
        captions=len(index.arrays["caption_ends"]),
        bytes=index.facts["size"],
        sha256=packed["sha256"],
        dropped=tuple((key, reason, detail) for key, reason, detail in packed["dropped"]),
    )


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _state(pair: Pair) -> str:
    picture = pair.picture
    if isinstance(picture, ImageFile | ShardImage | TableImage):
        try:
            place = f" {picture}" if isinstance(picture, TableImage) else ""
            place = f" {picture.start}" if isinstance(picture, ShardImage) else place
            return f"{file_state(picture.path)}{place}"
        except OSError as error:
            return f"unreadable {error.errno}"
    return hashlib.blake2b(repr(picture).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
