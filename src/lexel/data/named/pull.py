"""A named data set into a folder: fetched, checked, unpacked and converted; done again, it goes on where it stopped."""

import hashlib
import json
import shutil
from pathlib import Path

from lexel.data.named.catalog import NamedDataset, PublishedFile
from lexel.data.named.convert import convert
from lexel.data.named.unpack import unpack
from lexel.downloads import Progress, RemoteFile, download
from lexel.errors import DataError, UsageError
from lexel.files import make_folder, new_folder, write_atomically
from lexel.identity import sha256_of

ABOUT = "about.json"  # in the folder: where the data set is from, written last


def pull(dataset: NamedDataset, folder: Path, progress: Progress | None = None, *, keep: bool = False) -> bool:
    """Make the folder hold the data set; False where it does already. `keep` keeps the archives beside it.

    Raises UsageError where it may not be fetched by a program or the folder holds something else, DataError where an
    archive is damaged, LexelError where it cannot be fetched; what has arrived is kept.

        pull(find_named("cifar10"), Path("cifar10"))
    """
    if dataset.layout == "by hand":
        raise UsageError(
            f"{dataset.name} cannot be downloaded without asking its owners: {dataset.home}\n  {dataset.how}"
        )
    if _is_whole(dataset, folder):
        return False
    archives = folder.with_name(f"{folder.name}.downloads")
    make_folder(archives)
    fetched = [_fetch(file, archives, progress) for file in dataset.files]
    with new_folder(folder) as unfinished:
        for path in fetched:
            unpack(path, unfinished)
        convert(dataset, unfinished)
        about = {
            **dataset.model_dump(include={"name", "about", "terms", "home"}),
            "files": [
                {"url": file.url, "md5": file.md5, "sha256": sha256_of(path), "bytes": path.stat().st_size}
                for file, path in zip(dataset.files, fetched, strict=True)
            ],
        }
        write_atomically(unfinished / ABOUT, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    if not keep:
        shutil.rmtree(archives)
    return True


def _is_whole(dataset: NamedDataset, folder: Path) -> bool:
    if not folder.exists():
        return False
    try:
        there = json.loads((folder / ABOUT).read_text(encoding="utf-8")).get("name")
    except (OSError, ValueError, AttributeError):
        there = None
    if there == dataset.name:
        return True
    if folder.is_dir() and not any(folder.iterdir()):
        return False
    raise UsageError(f"{folder} exists and holds other files. Give another folder: lexel data pull NAME FOLDER")


def _fetch(file: PublishedFile, archives: Path, progress: Progress | None) -> Path:
    """The archive, fetched and checked; one that was fetched before is only checked."""
    path = archives / file.name
    if not path.exists():
        download(RemoteFile(file.url, file.name), path, progress)
    with path.open("rb") as content:
        found = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != file.md5:
        path.unlink()
        raise DataError(
            f"{file.name} is not the file that was published: its MD5 is {found}, and should be {file.md5}.\n"
            f"  It was removed. Fetch it again, or look at {file.url}"
        )
    return path
