"""Any sequence of changes to files, then a look: the library is what a plain dict of the files says."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pictures import save
from quick_encoder import QuickEncoder

from lexel.library.disk import indexing
from lexel.library.library import Library

names = st.sampled_from([f"{folder}{name}.png" for folder in ("", "x/", "x/y/", "z/") for name in "abc"])
seeds = st.integers(0, 12)


class Files(RuleBasedStateMachine):
    """What is on the disk is known as path → seed of the picture, or None for a broken file."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.root = self.home / "pictures"
        self.root.mkdir()
        self.encoder = QuickEncoder()
        self.library = Library.open(self.home / "photos.lexel", self.encoder, create=True)
        self.library.add(self.root)
        self.disk: dict[str, int | None] = {}
        self.clock = 10**6

    def teardown(self) -> None:
        self.library.close()
        shutil.rmtree(self.home)

    def touch(self, name: str) -> None:
        """No two writes have the same time."""
        self.clock += 7
        os.utime(self.root / name, (self.clock, self.clock))

    @rule(name=names, seed=seeds)
    def write(self, name: str, seed: int) -> None:
        save(self.root / name, seed)
        self.disk[name] = seed
        self.touch(name)

    @rule(name=names)
    def write_garbage(self, name: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(b"no picture")
        self.disk[name] = None
        self.touch(name)

    @rule(name=names)
    def write_the_same_again(self, name: str) -> None:
        if name in self.disk:
            self.touch(name)

    @rule(name=names, other=names, keeps_time=st.booleans())
    def copy(self, name: str, other: str, keeps_time: bool) -> None:
        if name in self.disk and name != other:
            (self.root / other).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.root / name, self.root / other)
            self.disk[other] = self.disk[name]
            if not keeps_time:
                self.touch(other)

    @rule(name=names, other=names)
    def move(self, name: str, other: str) -> None:
        if name in self.disk and name != other:
            (self.root / other).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).replace(self.root / other)
            self.disk[other] = self.disk.pop(name)

    @rule(name=names)
    def delete(self, name: str) -> None:
        if self.disk.pop(name, 0) != 0 or (self.root / name).exists():
            (self.root / name).unlink()

    @rule(folder=st.sampled_from(["x", "x/y", "z"]))
    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.root / folder, ignore_errors=True)
        self.disk = {name: seed for name, seed in self.disk.items() if not name.startswith(f"{folder}/")}

    @rule(chunk=st.sampled_from([1, 2, 64]), part=st.sampled_from(["", "x"]))
    def look(self, chunk: int, part: str) -> None:
        indexing.MIN_CHUNK = indexing.MAX_CHUNK = chunk
        if part and (self.root / part).is_dir():
            self.library.add(self.root / part, vanished=True)
        known = {digest for (digest,) in self.library.records.rows("SELECT hash FROM contents")}
        before = self.encoder.embedded
        added = self.library.refresh(vanished=True)
        records = self.library.records
        ids, vectors = records.vectors()
        photos = {os.path.relpath(photo.path, self.root): photo for photo in records.photos(ids)}
        good = {name: seed for name, seed in self.disk.items() if seed is not None}
        assert set(photos) == set(good)
        hashes = {name: bytes.fromhex(photo.hash) for name, photo in photos.items()}
        assert self.encoder.embedded - before == len(set(hashes.values()) - known) == added.embedded
        for id, vector in zip(ids, vectors, strict=True):
            path = records.photo(id).path
            np.testing.assert_allclose(vector, QuickEncoder().embed_images([path])[0], atol=1e-3)
        bad = {os.path.relpath(path, self.root) for path, _ in records.unreadable()}
        assert bad == set(self.disk) - set(good)
        assert records.rows("SELECT count(*) FROM contents WHERE id NOT IN (SELECT content FROM files)") == [(0,)]
        again = self.library.refresh(vanished=True)
        assert (again.unchanged, again.read, again.vanished, again.unreadable) == (len(good), 0, 0, [])

    @invariant()
    def no_path_is_there_twice(self) -> None:
        rows = self.library.records.rows("SELECT count(*) - count(DISTINCT path) FROM files")
        assert rows == [(0,)]


TestFiles = Files.TestCase
TestFiles.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
