"""Index a folder in processes that are killed at random moments, and look at the library after each.

    python killed.py WORK KILLS SEED        prints one JSON object: kills that came in the middle, rows at the end, …

This process imports once and starts no thread before a fork, so that a kill costs milliseconds.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from pictures import save
from quick_encoder import QuickEncoder

from lexel.library.disk import indexing
from lexel.library.library import Library

FILES = 120


def make_pictures(folder: Path) -> None:
    """Pictures with copies, a broken file, captions."""
    for number in range(FILES):
        save(folder / f"{number % 7}" / f"{number:03}.png", number % 100)
    (folder / "broken.jpg").write_bytes(b"x")
    (folder / "0" / "000.txt").write_text("the first")


def change_pictures(folder: Path, dice: random.Random) -> None:
    """Some pictures come, some go, some move, some become others."""
    files = sorted(folder.rglob("*.png"))
    for file in dice.sample(files, 12):
        what = dice.choice(["gone", "moved", "changed", "new"])
        if what == "gone":
            file.unlink()
        elif what == "moved":
            file.rename(file.with_name(f"m{dice.randrange(10**9)}.png"))
        else:
            name = file if what == "changed" else file.with_name(f"n{dice.randrange(10**9)}.png")
            save(name, dice.randrange(10**6), age=dice.uniform(3, 10**6))


def index(library: Path, folder: Path) -> None:
    with Library.open(library, QuickEncoder(), create=True) as opened:
        opened.add(folder) if not opened.folders else opened.refresh()


def kill_while_indexing(library: Path, folder: Path, seconds: float) -> bool:
    """Whether the kill came before the end."""
    child = os.fork()
    if child == 0:
        index(library, folder)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def in_a_child(work, *arguments) -> None:
    child = os.fork()
    if child == 0:
        try:
            work(*arguments)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit("a check failed")


def check(library: Path) -> None:
    """Every committed row is whole, and the vector is its file's where the file is still the same."""
    if not (library / "records.sqlite").exists():
        return
    with Library.open(library, QuickEncoder(), create=True) as opened:
        records = opened.records
        assert records.rows("PRAGMA integrity_check") == [("ok",)]
        assert records.rows("PRAGMA foreign_key_check") == []
        records.rows("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        ids, _ = records.vectors()
        assert len(ids) == records.count
        photos = records.photos(ids)
        assert len({photo.path for photo in photos}) == len(photos)
        assert all(records.thumbnail(photo.id).startswith(b"\xff\xd8") for photo in photos[:20])


def check_complete(library: Path, folder: Path) -> None:
    with Library.open(library, QuickEncoder()) as opened:
        ids, vectors = opened.records.vectors()
        files = {str(file) for file in folder.rglob("*.png")}
        photos = opened.records.photos(ids)
        assert {photo.path for photo in photos} == files
        expected = QuickEncoder().embed_images([photo.path for photo in photos])
        assert abs(expected - vectors).max() < 1e-3
        added = opened.refresh()
        assert (added.unchanged, added.embedded, added.new) == (len(files), 0, 0), added
        strays = "SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM files)"
        assert opened.records.rows(strays) == [(0,)]


def main(work: Path, kills: int, seed: int) -> None:
    indexing.MIN_CHUNK = indexing.MAX_CHUNK = 8
    dice = random.Random(seed)
    folder = work / "pictures"
    make_pictures(folder)
    began = time.monotonic()
    in_a_child(index, work / "whole.lexel", folder)
    whole = time.monotonic() - began
    middle, library = 0, work / "photos.lexel"
    for number in range(kills):
        if number % 10 == 0:  # from nothing
            library = work / f"photos{number}.lexel"
        else:
            change_pictures(folder, dice)
        # A kill in each stretch of the whole, the first moments included, where tables are made.
        middle += kill_while_indexing(library, folder, dice.uniform(0, whole if number % 10 else whole * 0.7))
        in_a_child(check, library)
        if number % 10 == 9 or number == kills - 1:
            in_a_child(index, library, folder)
            in_a_child(check, library)
            in_a_child(check_complete, library, folder)
    print(json.dumps({"kills": kills, "in_the_middle": middle, "seconds_whole": round(whole, 2)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
