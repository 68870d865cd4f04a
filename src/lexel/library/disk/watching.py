"""Watching folders: changed paths are gathered until nothing more is heard of them, then looked at."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.walk import METADATA
from lexel.errors import DataError, UsageError
from lexel.extras import missing_library
from lexel.library.disk.changes_on_disk import Scope
from lexel.library.disk.indexing import Added
from lexel.library.store.database.paths import is_below, outermost, readable
from lexel.library.store.places import places
from lexel.library.store.records import Records

QUIET_SECONDS = 1.0  # without news of a file: it is probably written to the end
TICK_MS = 250


class WatchedLibrary(Protocol):
    """What watching asks of a library."""

    @property
    def path(self) -> Path: ...

    @property
    def records(self) -> Records: ...

    def refresh(self) -> Added: ...

    def bring_up_to_date(self, scope: Scope) -> Added: ...


def watch(library: WatchedLibrary, on_change: Callable[[Added], None], stop: Callable[[], bool]) -> None:
    """Refresh the library, then keep it up to date until Ctrl-C or `stop()`. See `Library.watch`."""
    try:
        from watchfiles import watch as follow
    except ImportError as error:
        raise missing_library("Watching", "watchfiles", error) from None
    roots = watched_folders(library)
    heard: dict[str, float] = {}  # path → when it last changed
    try:
        # Its own debouncing holds back what keeps changing, and all else with it.
        news = follow(
            *roots, debounce=TICK_MS, step=TICK_MS, rust_timeout=TICK_MS, yield_on_timeout=True, raise_interrupt=True
        )
        next(news)  # listening from here on, so that nothing falls between the refresh and the watch
        on_change(library.refresh())
        for changes in news:
            heard |= dict.fromkeys((path for _, path in changes), time.monotonic())
            quiet = [path for path, at in heard.items() if time.monotonic() - at >= QUIET_SECONDS]
            for path in quiet:
                del heard[path]
            if added := _look_at(library, [path for path in quiet if not _is_hidden(path, roots)]):
                on_change(added)
            if stop():
                return
    except KeyboardInterrupt:
        return
    except OSError as error:
        raise DataError(
            f"The folders cannot be watched: {error}.\n"
            "Linux allows so many watched folders: sudo sysctl fs.inotify.max_user_watches=1000000. Or look now and "
            f"then: lexel index {library.path}"
        ) from error


def watched_folders(library: WatchedLibrary) -> list[str]:
    """The folders that can be followed now. Raises UsageError when there is none."""
    known = places(library.records, "folder")
    there = [root for root in known if os.path.isdir(root)]  # noqa: PTH112
    if there:
        return there
    if known:
        raise UsageError(f"There is nothing to watch: {readable(known[0])} is not there now. Is its drive mounted?")
    raise UsageError(f"{library.path} knows no folder to watch. Give one: lexel index {library.path} FOLDER --watch")


def _is_hidden(path: str, roots: Iterable[str]) -> bool:
    return any(is_below(path, root) and "/." in path[len(root.rstrip("/")) :] for root in roots)


def _look_at(library: WatchedLibrary, paths: Iterable[str]) -> Added | None:
    """Bring the library up to date with what may have changed; None when that was nothing."""
    folders, files = set(), set()
    for path in paths:
        name = path.rpartition("/")[2]
        if os.path.isdir(path):  # noqa: PTH112
            folders.add(path)
        elif name in METADATA or name.lower().endswith(".txt"):
            folders.add(path.rpartition("/")[0])
        elif os.path.lexists(path) or has_image_extension(name):
            files.add(path)
        else:  # gone; it may have been a folder
            folders.add(path)
    files = {path for path in files if has_image_extension(path)}
    if not folders and not files:
        return None
    added = library.bring_up_to_date(Scope(folders=tuple(outermost(folders)), files=tuple(sorted(files))))
    return added if added.read or added.vanished or added.unreadable else None
