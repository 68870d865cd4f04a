import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from quick_encoder import QuickEncoder

from lexel.curation import duplicates
from lexel.curation.duplicates import find_duplicates, summary, write_duplicates
from lexel.errors import UsageError
from lexel.library.disk.same_file import Mounts
from lexel.library.library import Library


def scene(seed: int, size: int = 96) -> Image.Image:
    """Coloured patches: smooth, so that it survives being made smaller."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((size, size), Image.Resampling.NEAREST)


@pytest.fixture
def library(tmp_path):
    """Twelve different pictures; of 0 an exact copy, of 1 a smaller JPEG, of 2 a mirrored and an older equal one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        scene(number).save(folder / f"{number}.png")
    shutil.copy(folder / "0.png", folder / "copy-of-0.png")
    os.utime(folder / "copy-of-0.png", (1e9, 1e9))  # older
    scene(1).resize((48, 48)).save(folder / "small-1.jpg", quality=90)
    scene(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((40, 40)).save(folder / "mirrored-2.png")
    with Library.open(tmp_path / "l.lexel", Mirrored(), create=True) as library:
        library.add(folder)
        yield library


@pytest.fixture(autouse=True)
def local_disk(monkeypatch):
    """Elsewhere two files that are written within one tick of the clock count as one."""
    monkeypatch.setattr(duplicates.Mounts, "read", lambda: Mounts({"/": "ext4"}))


class Mirrored(QuickEncoder):
    """Sees no difference between left and right, as models hardly do."""

    def _vector(self, pixels):
        both = super()._vector(pixels) + super()._vector(pixels[:, :, ::-1])
        return both / np.linalg.norm(both)


def named(groups) -> dict[str, set[str]]:
    return {group.keep.name: {other.name for other in group.others} for group in groups}


def test_exact_smaller_and_mirrored_copies_are_found_and_the_best_is_kept(library):
    groups = find_duplicates(library)
    assert named(groups) == {
        "copy-of-0.png": {"0.png"},  # the same pixels and bytes, but older
        "1.png": {"small-1.jpg"},
        "2.png": {"mirrored-2.png"},
    }
    assert [group.exact for group in groups if group.keep.name == "copy-of-0.png"] == [True]
    assert "3 pictures are there more than once (1 as exact copies only): 3 files too many" in summary(groups)


def test_a_threshold_of_one_finds_exact_copies_only(library):
    assert named(find_duplicates(library, 1.0)) == {"copy-of-0.png": {"0.png"}}


def test_alike_embeddings_of_different_pictures_are_no_duplicates(tmp_path):
    class Blind(QuickEncoder):
        def _vector(self, pixels):
            return np.eye(1, self.dimensions, dtype=np.float32)[0]

    (tmp_path / "p").mkdir()
    for number in range(40):
        scene(number).save(tmp_path / "p" / f"{number}.png")
    scene(7, 64).save(tmp_path / "p" / "7-again.png")
    with Library.open(tmp_path / "l.lexel", Blind(), create=True) as library:
        library.add(tmp_path / "p")
        assert named(find_duplicates(library)) == {"7.png": {"7-again.png"}}


def test_a_slow_series_does_not_chain_its_ends_together(tmp_path):
    (tmp_path / "p").mkdir()
    first, last = (np.asarray(scene(seed)).astype(float) for seed in (1, 2))
    for step in range(21):
        mixed = first + (last - first) * step / 20
        Image.fromarray(mixed.astype(np.uint8)).save(tmp_path / "p" / f"{step:02}.png")
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(tmp_path / "p")
        groups = find_duplicates(library, 0.9)
    assert len(groups) > 1
    assert all(likeness >= 0.9 for group in groups for likeness in group.likeness)
    files = [photo.id for group in groups for photo in (group.keep, *group.others)]
    assert len(files) == len(set(files))


def test_the_page_shows_every_file_and_says_which_to_keep(library, tmp_path):
    write_duplicates(tmp_path / "page.html", find_duplicates(library), library.records)
    page = (tmp_path / "page.html").read_text()
    assert page.count("<li") == 6
    assert page.count('class="kept"') == 3
    assert "<script" not in page


def test_a_threshold_that_makes_no_sense_is_refused(library):
    with pytest.raises(UsageError, match=r"from 0\.5 to 1"):
        find_duplicates(library, 0.2)


def exact(library) -> dict[str, set[str]]:
    return named(find_duplicates(library, 1.0))


def test_a_file_is_surplus_only_while_the_kept_one_is_on_the_disk(library, tmp_path, capsys):
    (tmp_path / "pictures" / "copy-of-0.png").unlink()
    (tmp_path / "pictures" / "1.png").unlink()
    assert named(find_duplicates(library)) == {"2.png": {"mirrored-2.png"}}
    assert "2 photos are not on the disk as the library knows them" in capsys.readouterr().err


def test_a_kept_file_that_was_replaced_with_its_size_and_time_restored_is_no_copy(library, tmp_path):
    path = tmp_path / "pictures" / "copy-of-0.png"
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert exact(library) == {}


def test_a_surplus_file_that_was_replaced_is_not_listed(library, tmp_path):
    scene(99).save(tmp_path / "pictures" / "0.png")
    assert exact(library) == {}


def test_names_of_the_same_file_are_never_copies_of_one_another(library, tmp_path, capsys):
    folder = tmp_path / "pictures"
    os.link(folder / "5.png", folder / "hard.png")
    (folder / "soft.png").symlink_to(folder / "6.png")
    library.add(folder)
    assert exact(library) == {"copy-of-0.png": {"0.png"}}
    assert "Not listed: 2 photos whose file may be there only once" in capsys.readouterr().err


def test_the_file_that_a_link_leads_to_is_the_one_that_is_kept(library, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "album.png").symlink_to(folder / "0.png")
    library.add(folder)
    assert exact(library) == {"0.png": {"copy-of-0.png"}}  # though the copy is older
    (folder / "album-2.png").symlink_to(folder / "copy-of-0.png")
    library.add(folder)
    assert exact(library) == {}


def test_a_folder_that_is_reached_by_a_link_is_treated_as_any_other(tmp_path):
    (tmp_path / "real").mkdir()
    scene(1).save(tmp_path / "real" / "a.png")
    shutil.copy(tmp_path / "real" / "a.png", tmp_path / "real" / "b.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(tmp_path / "link")
        library.add(tmp_path / "real")
        (group,) = find_duplicates(library, 1.0)
        assert [photo.path for photo in (group.keep, *group.others)] == [
            str(tmp_path / "real" / "a.png"),
            str(tmp_path / "real" / "b.png"),
        ]


@pytest.mark.parametrize("kind", ["overlay", "cifs"])
def test_a_folder_that_is_mounted_twice_has_no_surplus_files(tmp_path, monkeypatch, capsys, kind):
    """The second mount is a copy with the same times here, of which the system would tell another device."""
    scene(1).save((tmp_path / "one").mkdir() or tmp_path / "one" / "a.png")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    look_behind = duplicates.look_behind

    def look(path, mounts):
        file = look_behind(path, mounts)
        if "/two/" not in path:
            return file
        return replace(file, device=file.device + 1, file_system=kind)

    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add([tmp_path / "one", tmp_path / "two"])
        assert len(find_duplicates(library, 1.0)) == 1
        monkeypatch.setattr(duplicates, "look_behind", look)
        assert find_duplicates(library, 1.0) == []
        assert "Not listed: 1 photo whose file may be there only once" in capsys.readouterr().err
