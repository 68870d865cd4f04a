"""The folder that shards are written to: whether it may be, and what of an earlier packing has to go.

A folder that holds anything else is never touched, whatever is asked for.
"""

import os
from collections.abc import Collection
from pathlib import Path

from lexel.data.packing.manifest import DROPPED, PackJob, read_manifest
from lexel.data.packing.shard import is_packed
from lexel.data.shards.index import SIDECAR_SUFFIX, sidecar_path
from lexel.data.shards.names import MANIFEST, shards_in
from lexel.errors import UsageError


def check_apart(source: str, folder: Path) -> None:
    """Raise UsageError where the shards would lie within their source."""
    place = Path(source).expanduser()
    if not os.path.isdir(place):  # noqa: PTH112 - Path raises for names that are too long
        return
    if folder.resolve().is_relative_to(place.resolve()):
        raise UsageError(f"{folder} lies within the source. Name a folder outside of {place} for the shards.")


def check_folder(folder: Path, job: PackJob, *, replace: bool = False, beside: Collection[str] = ()) -> None:
    """Raise UsageError where the folder holds anything but an earlier packing, or one of another job.

    The latter may be with `replace`. `beside` are names of files that may lie there too.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file. Name a folder for the shards.")
    own = {MANIFEST, DROPPED, *beside}
    other = _first_other(folder, own)
    if other is not None:
        raise UsageError(
            f"{folder} holds other files, such as {other.relative_to(folder)}. Name an empty folder for the shards."
        )
    manifest = read_manifest(folder)
    differences = job.differences(manifest) if manifest else []
    if manifest is None and _packed_below(folder):
        differences = [f"of which no {MANIFEST} says what it is of"]
    if differences and not replace:
        raise UsageError(
            f"{folder} holds another packing: {'; '.join(differences)}.\n"
            "  Name another folder, or give --replace to put this one in its place."
        )


def remove_other_job(folder: Path, job: PackJob) -> None:
    """Remove the shards of an earlier packing, if it was of another job. Raises OSError."""
    manifest = read_manifest(folder)
    if manifest is None or job.differences(manifest):
        remove_surplus(folder, frozenset())
        (folder / DROPPED).unlink(missing_ok=True)


def remove_surplus(folder: Path, keep: Collection[Path]) -> None:
    """Remove the shards of an earlier packing that this one has not, and the folders of splits that are empty then."""
    for path in _packed_below(folder):
        if path not in keep:
            path.unlink()
            sidecar_path(path).unlink(missing_ok=True)
    for below in _folders(folder):
        if not any(below.iterdir()):
            below.rmdir()


def _packed_below(folder: Path) -> list[Path]:
    """The shards that were written by `lexel data prepare`, in the folder and in those of its splits."""
    return [path for place in (folder, *_folders(folder)) for path in map(Path, shards_in(place)) if is_packed(path)]


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _first_other(folder: Path, own: Collection[str], *, is_split: bool = False) -> Path | None:
    """The first file that is not of a packing; hidden ones are passed over."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink() and not is_split:
            if (other := _first_other(path, (), is_split=True)) is not None:
                return other
        elif not (path.is_file() and (path.name in own or path.name.endswith(SIDECAR_SUFFIX) or _is_ours(path))):
            return path
    return None


def _is_ours(path: Path) -> bool:
    return path.suffix == ".tar" and is_packed(path)
