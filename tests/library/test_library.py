"""The Library as a whole: its model, its folders, and what is said of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pictures import picture, save
from quick_encoder import QuickEncoder

import lexel
from lexel.errors import UsageError
from lexel.library.disk import changes_on_disk
from lexel.library.library import Library
from lexel.loading import ModelChoice


@pytest.fixture
def encoder() -> QuickEncoder:
    return QuickEncoder()


@pytest.fixture
def pictures(tmp_path) -> Path:
    for number in range(4):
        save(tmp_path / "pictures" / ("deep" if number > 2 else "") / f"{number}.png", number)
    return tmp_path / "pictures"


@pytest.fixture
def library(tmp_path, encoder, pictures):
    with Library.open(tmp_path / "photos.lexel", encoder, create=True) as library:
        library.add(pictures)
        yield library


def reopened(library: Library, *encoder, **options) -> Library:
    library.close()
    return Library.open(library.path, *encoder, **options)


def test_a_new_library_needs_a_model_that_is_there(tmp_path):
    with pytest.raises(UsageError, match="needs a model"):
        Library.open(tmp_path / "new.lexel", create=True)
    with pytest.raises(UsageError, match="no/such/model"):
        Library.open(tmp_path / "new.lexel", "no/such/model", create=True)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_was_loaded_from_somewhere_is_found_there_again(tmp_path, pictures, tiny_model, monkeypatch):
    monkeypatch.chdir(tiny_model.parent)
    encoder = lexel.load(tiny_model.name, number_format="bfloat16")
    monkeypatch.chdir(tmp_path)
    with Library.open("new.lexel", encoder, create=True) as library:
        library.add(pictures)
    with Library.open("new.lexel") as again:
        assert again.records.model == str(tiny_model)
        assert again.encoder.fingerprint == encoder.fingerprint
        assert len(again.search("a circle")) == 4


def test_a_model_that_took_more_than_its_name_to_load_is_not_looked_for_by_it(tiny_model):
    assert lexel.load(tiny_model).source == ModelChoice(str(tiny_model))
    assert lexel.load(tiny_model, context_length=50).source is None


def test_a_model_of_another_fingerprint_is_refused_before_anything_happens(library, pictures):
    other = QuickEncoder("other", "ffffffff")
    with pytest.raises(UsageError, match=r"was made with quick \(0011c0de\); other \(ffffffff\) is another"):
        reopened(library, other)


def test_the_model_is_remembered_and_loaded_when_it_is_needed(tmp_path, pictures, encoder, monkeypatch):
    asked = []

    def load(model, **options):
        asked.append((model, options))
        encoder.source = ModelChoice(model, **options)
        return encoder

    monkeypatch.setattr("lexel.loading.load", load)
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    with Library.open("photos.lexel", "model", create=True) as library:
        library.add(pictures)
    with Library.open(tmp_path / "photos.lexel") as library:
        assert len(asked) == 1
        assert library.records.count == 4
        assert library.encoder is encoder
    assert asked == [(str(tmp_path / "model"), {"runtime": None, "number_format": None})] * 2


def test_a_model_given_from_python_cannot_be_found_again_and_says_so(library):
    with reopened(library) as again, pytest.raises(UsageError, match="was made with the model quick from Python"):
        again.refresh()


def test_reembedding_brings_all_vectors_over_and_needs_to_be_done_once(library, pictures):
    other = QuickEncoder("other", "ffffffff", dimensions=20)
    before = library.records.generation
    with reopened(library, other, reembed=True) as again:
        assert other.embedded == 4
        assert (again.records.fingerprint, again.records.dimensions) == ("ffffffff", 20)
        assert again.records.generation > before
        ids, vectors = again.records.vectors()
        files = [photo.path for photo in again.records.photos(ids)]
        np.testing.assert_allclose(vectors, other.embed_images(files), atol=1e-3)
    again = QuickEncoder("other", "ffffffff", dimensions=20)
    Library.open(library.path, again, reembed=True).close()
    assert again.embedded == 0


def test_reembedding_that_was_cut_off_leaves_the_old_model_and_goes_on(library, monkeypatch):
    from lexel.library.disk import reembedding

    class PowerCut(BaseException):
        """Like kill -9, nothing in the program expects it."""

    monkeypatch.setattr(reembedding, "PICTURES_PER_TRANSACTION", 1)
    other = QuickEncoder("other", "ffffffff")
    embed, calls = other.embed_readable, iter(range(9))

    def fragile(images, what=None):
        if next(calls) == 2:
            raise PowerCut
        return embed(images, what)

    monkeypatch.setattr(other, "embed_readable", fragile)
    with pytest.raises(PowerCut):
        reopened(library, other, reembed=True)
    old = QuickEncoder()
    with Library.open(library.path, old) as again:
        ids, vectors = again.records.vectors()
        files = [photo.path for photo in again.records.photos(ids)]
        np.testing.assert_allclose(vectors, old.embed_images(files), atol=1e-3)
        save(Path(files[0]).with_name("late.png"), 50)
        again.refresh()
    with Library.open(library.path, other, reembed=True) as again:
        assert other.embedded == 5
        assert again.records.count == 5
        assert {len(vector) for (vector,) in again.records.rows("SELECT vector FROM vectors")} == {96}


def test_what_cannot_be_read_while_reembedding_comes_back_later(library, pictures):
    hidden = (pictures / "1.png").rename(pictures / "1.hidden")
    vanished = (pictures / "2.png").read_bytes()
    (pictures / "2.png").unlink()
    library.add(pictures / "deep")
    other = QuickEncoder("other", "ffffffff")
    with reopened(library, other, reembed=True) as again:
        assert again.records.count == 2
        hidden.rename(pictures / "1.png")
        (pictures / "2.png").write_bytes(vanished)
        assert again.add(pictures).new == 2
        assert again.records.vectors()[0].size == 4


def test_refresh_looks_through_all_that_was_added(library, pictures, tmp_path):
    save(tmp_path / "other" / "9.png", 9)
    library.add(tmp_path / "other")
    library.add([save(tmp_path / "alone.png", 10)])
    save(pictures / "5.png", 5)
    (tmp_path / "alone.png").unlink()
    added = library.refresh()
    assert (added.new, added.vanished, added.unchanged) == (1, 1, 5)


def test_a_folder_that_is_away_keeps_its_photos(library, pictures, tmp_path):
    pictures.rename(tmp_path / "unplugged")
    added = library.refresh()
    assert (added.vanished, library.records.count) == (0, 4)
    assert "is not there now; what the library holds of its 4 photos is kept" in added.notes[0]
    assert library.records.unreadable() == []


def test_a_drive_that_is_away_leaves_an_empty_folder_and_keeps_its_photos(library, pictures, monkeypatch):
    """As /media/usb is when nothing is plugged in."""
    drive = str(pictures / "deep")
    mounted = True
    walk = changes_on_disk.walk

    def as_if(roots, excluded=()):
        for folder in walk(roots, excluded):
            folder.walked.is_mount = mounted and folder.path == drive
            yield folder

    monkeypatch.setattr(changes_on_disk, "walk", as_if)
    monkeypatch.setattr(changes_on_disk, "is_mount", lambda path: mounted and path == drive)
    library.add(pictures)
    mounted = False
    shutil.move(f"{drive}/3.png", pictures.parent / "3.png")
    added = library.add(pictures)
    assert (added.vanished, library.records.count) == (0, 4)
    assert "its 1 photo is kept" in added.notes[0]
    Path(drive).rmdir()
    assert library.add(pictures).vanished == 0
    Path(drive).mkdir()
    shutil.move(pictures.parent / "3.png", f"{drive}/3.png")
    mounted = True
    assert (library.add(pictures).unchanged, library.records.count) == (4, 4)


def test_what_lies_below_a_folder_that_may_not_be_read_has_not_vanished(library, pictures, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("/deep"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    added = library.add(pictures)
    assert added.unreadable == [(str(pictures / "deep"), "Permission denied")]
    assert (added.vanished, library.records.count) == (0, 4)


def test_a_file_that_may_not_be_read_is_tried_again_each_time(library, pictures, monkeypatch):
    save(pictures / "private.png", 20)
    opened = os.open

    def refuse(path, *options):
        if str(path).endswith("private.png"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        for _ in range(2):
            assert library.add(pictures).unreadable == [(str(pictures / "private.png"), "Permission denied")]
    assert library.add(pictures).new == 1


def test_removed_folders_stay_away_until_they_are_added(library, pictures):
    assert library.remove(pictures / "deep") == 1
    assert library.refresh().new == 0
    assert library.add(pictures).new == 0
    assert library.add(pictures / "deep").new == 1
    assert library.remove(pictures) == 4
    with pytest.raises(UsageError, match="knows no folder yet"):
        library.refresh()
    assert library.add(pictures).new == 4


def test_removed_photos_stay_away(library, pictures):
    (id,) = library.records.ids_of(str(pictures / "1.png"))
    assert library.remove([id]) == 1
    assert (library.refresh().new, library.records.count) == (0, 3)
    assert library.add(pictures / "1.png").new == 1
    with pytest.raises(UsageError, match="has no photo 999"):
        library.remove([999])
    with pytest.raises(UsageError, match="has nothing of"):
        library.remove(pictures / "nowhere")


def test_stats_count_what_is_there(library, pictures):
    exif = picture(1).getexif()
    exif[0x0132], exif[0x0110] = "2020:01:02 03:04:05", "X100"
    save(pictures / "dated.jpg", 30, exif=exif)
    (pictures / "broken.jpg").write_bytes(b"x")
    shutil.copy(pictures / "0.png", pictures / "copy.png")
    (pictures / "1.png").unlink()
    library.add(pictures)
    stats = library.stats()
    assert (stats.photos, stats.pictures, stats.vanished, stats.unreadable) == (5, 4, 1, 1)
    assert (stats.with_date, stats.first_taken, stats.cameras) == (1, "2020-01-02T03:04:05", [("X100", 1)])
    assert (stats.model, stats.fingerprint, stats.folders) == ("quick", "0011c0de", [str(pictures)])


def test_the_export_has_every_photo_and_its_vector(library, tmp_path, pictures):
    library.records.set_tags({1: ["a", "b"]})
    assert library.export(tmp_path / "out.parquet") == 4
    table = pq.read_table(tmp_path / "out.parquet")
    ids, vectors = library.records.vectors()
    assert table["id"].to_pylist() == ids.tolist()
    np.testing.assert_array_equal(np.array(table["embedding"].to_pylist()), vectors.astype(np.float32))
    photo = library.records.photo(1)
    assert table["path"][0].as_py() == photo.path
    assert table["tags"][0].as_py() == ["a", "b"]
    assert table["hash"][0].as_py() == photo.hash
    assert table.schema.metadata[b"lexel.fingerprint"] == b"0011c0de"
    with pytest.raises(UsageError, match=r"ends in \.parquet"):
        library.export(tmp_path / "out.csv")


def test_a_library_is_opened_without_torch(library):
    library.close()
    script = (
        "import sys\n"
        "from lexel.library.library import Library\n"
        "with Library.open(sys.argv[1]) as library: print(library.records.count, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(library.path)], capture_output=True, text=True, check=True)
    assert done.stdout == "4 False\n"


def test_a_model_that_another_process_has_replaced_writes_and_searches_no_more(library, pictures):
    with Library.open(library.path, QuickEncoder("other", "ffffffff"), reembed=True):
        pass
    save(pictures / "late.png", 99)
    for use in (library.refresh, lambda: library.search("red")):
        with pytest.raises(UsageError, match="is another model"):
            use()
    assert library.records.fingerprint == "ffffffff"
    assert library.records.count == 4


def test_a_library_is_no_folder_of_pictures(library):
    with pytest.raises(UsageError, match="is a library, not a folder"):
        library.add(library.path)


def test_a_model_that_is_gone_is_told_with_what_to_do(library, tmp_path):
    with library.records.changing() as changes:
        changes.set_fact("model", str(tmp_path / "gone"))
    with reopened(library) as again, pytest.raises(UsageError, match="Say where it lies now: --model"):
        again.search("red")
