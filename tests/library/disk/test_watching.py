"""New, changed and vanished files are found within seconds, and Ctrl-C ends it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pictures import save
from quick_encoder import QuickEncoder

from lexel.errors import UsageError
from lexel.library.disk.indexing import Added
from lexel.library.library import Library

pytest.importorskip("watchfiles")
SUPPORT = Path(__file__).parents[2] / "support"
SECONDS = 20  # until a test gives up; it takes one or two


class Watcher:
    """A library that is watched by a thread of its own."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.told: list[Added] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=library.watch, args=(self.told.append, self._over.is_set))
        self._thread.start()
        self.wait(lambda: bool(self.told))

    def wait(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < until, self.told
            time.sleep(0.05)

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def pictures(tmp_path) -> Path:
    save(tmp_path / "pictures" / "1.png", 1)
    save(tmp_path / "pictures" / "deep" / "2.png", 2)
    return tmp_path / "pictures"


@pytest.fixture
def watcher(tmp_path, pictures) -> Iterator[Watcher]:
    with Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library:
        library.add(pictures)
        save(pictures / "before.png", 3)
        watcher = Watcher(library)
        yield watcher
        watcher.stop()


def names(watcher: Watcher) -> set[str]:
    return {photo.name for photo in watcher.library.records.photos(watcher.library.records.vectors()[0])}


def test_what_happens_to_files_is_followed(watcher, pictures, tmp_path):
    assert names(watcher) == {"1.png", "2.png", "before.png"}
    save(pictures / "new.png", 4)
    (pictures / "broken.jpg").write_bytes(b"no picture")
    (pictures / "notes.pdf").write_bytes(b"no picture")
    watcher.wait(lambda: "new.png" in names(watcher))
    watcher.wait(lambda: [path for path, _ in watcher.library.records.unreadable()] == [str(pictures / "broken.jpg")])
    (pictures / "1.png").rename(pictures / "moved.png")
    watcher.wait(lambda: "moved.png" in names(watcher) and "1.png" not in names(watcher))
    assert watcher.library.encoder.embedded == 4
    (pictures / "deep").rename(pictures / "deeper")
    watcher.wait(lambda: watcher.library.records.ids_of(str(pictures / "deeper")) != [])
    (pictures / "deeper").rename(tmp_path / "away")
    watcher.wait(lambda: names(watcher) == {"moved.png", "new.png", "before.png"})
    (tmp_path / "away").rename(pictures / "back")
    watcher.wait(lambda: "2.png" in names(watcher))
    (pictures / "moved.txt").write_text("a caption")
    watcher.wait(lambda: watcher.library.records.search_keywords(["caption"], 1) != [])
    assert watcher.library.encoder.embedded == 4


def test_a_library_without_folders_cannot_be_watched(tmp_path):
    with (
        Library.open(tmp_path / "photos.lexel", QuickEncoder(), create=True) as library,
        pytest.raises(UsageError, match="knows no folder to watch"),
    ):
        library.watch(print)


# In the background of a shell, Ctrl-C is ignored, and children take that over.
SCRIPT = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[3])
from quick_encoder import QuickEncoder
from lexel.library.library import Library
with Library.open(sys.argv[1], QuickEncoder(), create=True) as library:
    library.add(sys.argv[2])
    library.watch(lambda added: print(library.records.count, flush=True))
print("ended")
"""


def test_ctrl_c_ends_it_cleanly(tmp_path, pictures):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "photos.lexel"), str(pictures), str(SUPPORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2\n"
        os.kill(process.pid, signal.SIGINT)
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert (out, err, process.returncode) == ("ended\n", "", 0)
