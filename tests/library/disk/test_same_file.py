import os
from pathlib import Path

import pytest
from pictures import save
from quick_encoder import QuickEncoder

from lexel.library.disk import same_file
from lexel.library.disk.same_file import Mounts, NamedFile, group_names, look_behind, may_be_one_file
from lexel.library.library import Library

NOON = 1_700_000_000_000_000_000  # ns
SECOND = 1_000_000_000


def named(
    device: int = 1,
    inode: int = 10,
    kind: str | None = "ext4",
    mtime: int = NOON,
    ctime: int = NOON + 9 * SECOND,
    size: int = 5,
) -> NamedFile:
    return NamedFile(device, inode, size, mtime, ctime, kind)


ONE_FILE = {
    "hard links": (named(), named()),
    "a local disk mounted under two device numbers": (named(), named(device=2)),
    "a layer and the overlay above it": (named(), named(device=2, kind="overlay")),
    "a share that is mounted twice": (named(kind="nfs4"), named(device=2, kind="nfs4")),
    "a share mounted twice that makes up inodes": (named(kind="cifs"), named(device=2, inode=11, kind="cifs")),
    "a hard link on such a share": (named(kind="cifs"), named(inode=11, kind="cifs")),
    "a folder and the same over sshfs, in whole seconds and without a ctime": (
        named(mtime=NOON + 300, ctime=NOON + 60 * SECOND),
        named(device=2, inode=3, kind="fuse.sshfs", mtime=NOON, ctime=NOON),
    ),
    "unknown file systems": (named(kind=None), named(device=2, inode=11, kind=None, ctime=0)),
}

TWO_FILES = {
    "two files on a local disk, though every time was copied": (named(), named(inode=11)),
    "two local disks": (named(), named(device=2, inode=11, kind="xfs")),
    "two local disks, with one number by chance": (named(), named(device=2, mtime=NOON + 1)),
    "a copy on a share: its ctime is its own": (
        named(kind="cifs"),
        named(inode=11, kind="cifs", ctime=NOON + 10 * SECOND),
    ),
    "a copy on another share": (
        named(kind="cifs"),
        named(device=2, inode=11, kind="cifs", ctime=NOON + 12 * SECOND),
    ),
    "a copy with another time on a share": (named(), named(device=2, inode=3, kind="cifs", mtime=NOON + 5 * SECOND)),
    "other sizes": (named(kind=None), named(device=2, kind=None, size=6)),
}


@pytest.mark.parametrize("case", ONE_FILE)
def test_names_that_may_lead_to_one_file_are_not_taken_for_two(case):
    a, b = ONE_FILE[case]
    assert may_be_one_file(a, b)
    assert may_be_one_file(b, a)


@pytest.mark.parametrize("case", TWO_FILES)
def test_files_that_are_proved_to_be_two_are_taken_for_two(case):
    a, b = TWO_FILES[case]
    assert not may_be_one_file(a, b)
    assert not may_be_one_file(b, a)


def test_the_file_system_of_a_path_is_that_of_the_mount_nearest_above_it(tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    table.write_text(
        "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "21 20 0:40 / /mnt/my\\040photos rw - cifs //nas/photos rw\n"
        "22 20 8:2 / /mnt/twice rw - xfs /dev/sdb1 rw\n"
        "23 22 0:41 / /mnt/twice rw master:2 propagate_from:1 - nfs4 nas:/photos rw\n"
    )
    monkeypatch.setattr(same_file, "MOUNT_TABLE", table)
    mounts = Mounts.read()
    assert mounts.kind("/home/me/a.jpg") == "ext4"
    assert mounts.kind("/mnt/my photos/2024/a.jpg") == "cifs"
    assert mounts.kind("/mnt/my photos 2/a.jpg") == "ext4"
    assert mounts.kind("/mnt/twice/a.jpg") == "nfs4"


def test_without_a_mount_table_no_file_system_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(same_file, "MOUNT_TABLE", tmp_path / "nowhere")
    (tmp_path / "a.jpg").touch()
    assert look_behind(str(tmp_path / "a.jpg"), Mounts.read()).file_system is None


def test_names_are_grouped_by_file_through_every_kind_of_link(tmp_path):
    folder = tmp_path / "pictures"
    save(folder / "a.png", 1)
    save(folder / "other.png", 2)
    os.link(folder / "a.png", folder / "hard.png")
    (folder / "soft.png").symlink_to("a.png")
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    (tmp_path / "link").symlink_to(folder)
    assert names_in_groups(tmp_path) == {("a.png", "hard.png", "soft.png"), ("copy.png",), ("other.png",)}


def names_in_groups(folder: Path) -> set[tuple[str, ...]]:
    with Library.open(folder / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(folder / "link")
        photos = library.records.photos(library.records.vectors()[0])
    mounts = Mounts({"/": "ext4"})
    groups = group_names(photos, [look_behind(photo.path, mounts) for photo in photos])
    return {tuple(sorted(photo.name for photo in group)) for group in groups}
