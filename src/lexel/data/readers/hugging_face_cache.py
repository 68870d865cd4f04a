"""`hf-dataset:NAME`: a data set of Hugging Face's hub that lies in its cache on this machine. Nothing is fetched.

Both caches are looked through: that of `datasets` (Arrow files that it has prepared), and that of the hub (the files
of the repository, Parquet mostly).
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lexel.errors import UsageError, did_you_mean
from lexel.files import cache_home

PREFIX = "hf-dataset:"
NAMED = 8  # data sets in a message


def find_in_cache(text: str) -> tuple[Path, str | None]:
    """The folder of `hf-dataset:ORGANISATION/NAME[:CONFIGURATION][/SPLIT]`, and the split. Raises UsageError.

    A data set of several configurations needs one named.
    """
    asked = text.removeprefix(PREFIX).strip("/")
    known = dict(_prepared()) | dict(_downloaded())
    for name, split in ((asked, None), asked.rpartition("/")[::2]):
        bare, _, wanted = name.partition(":")
        found = {place: folder for place, folder in known.items() if _plain(place[0]) == _plain(bare)}
        if wanted:
            found = {place: folder for place, folder in found.items() if place[1] in (wanted, None)}
        if not found:
            continue
        configurations = sorted({place[1] for place in found if place[1]})
        if len(configurations) > 1:
            raise UsageError(
                f"{PREFIX}{bare} has several configurations: {', '.join(configurations)}.\n"
                f"  Name one: {PREFIX}{bare}:{configurations[0]}"
            )
        return next(iter(found.values())), split or None
    raise UsageError(_not_there(asked, sorted({place[0] for place in known})))


def _plain(name: str) -> str:
    """A name as both caches write it: `datasets` turns CamelCase into snake_case."""
    organisation, slash, last = name.rpartition("/")
    return organisation.lower() + slash + re.sub(r"[^a-z0-9]", "", last.lower())


def _prepared() -> Iterator[tuple[tuple[str, str | None], Path]]:
    """(name, configuration) and folder of what `datasets` has prepared: NAME/CONFIGURATION/VERSION/HASH."""
    root = Path(os.environ.get("HF_DATASETS_CACHE") or _home() / "datasets")
    folders = [path.parent for path in root.glob("*/*/*/*/dataset_info.json")] if root.is_dir() else []
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime):  # the newest last
        name, configuration = folder.parts[-4].replace("___", "/"), folder.parts[-3]
        if any(folder.glob("*.arrow")):
            yield (name, configuration), folder


def _downloaded() -> Iterator[tuple[tuple[str, str | None], Path]]:
    """(name, None) and folder of the revision that was fetched last of each repository in the hub's cache."""
    root = Path(os.environ.get("HF_HUB_CACHE") or _home() / "hub")
    for folder in sorted(root.glob("datasets--*")) if root.is_dir() else []:
        revisions = sorted((folder / "snapshots").glob("*"), key=lambda path: path.stat().st_mtime)
        if revisions:
            yield (folder.name.removeprefix("datasets--").replace("--", "/"), None), revisions[-1]


def _home() -> Path:
    return Path(os.environ.get("HF_HOME") or cache_home() / "huggingface").expanduser()


def _not_there(asked: str, names: list[str]) -> str:
    has = f"It has {', '.join(names[:NAMED])}{' …' if len(names) > NAMED else ''}." if names else "It has none."
    return (
        f'There is no data set "{asked}" in Hugging Face\'s cache, {_home()}.{did_you_mean(asked, names)} {has}\n'
        f"  Fetch it first: hf download --repo-type dataset {asked.partition(':')[0]}"
    )
