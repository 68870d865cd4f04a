"""Library.add: what is read, what is embedded, what is kept."""

import io
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pictures import aged, picture, save
from PIL import Image
from quick_encoder import QuickEncoder

from lexel.errors import ModelError, UsageError
from lexel.library.disk import changes_on_disk, indexing
from lexel.library.disk.indexing import Added
from lexel.library.library import Library


@pytest.fixture
def encoder() -> QuickEncoder:
    return QuickEncoder()


@pytest.fixture
def library(tmp_path, encoder):
    with Library.open(tmp_path / "photos.lexel", encoder, create=True) as library:
        yield library


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Five pictures, two of them in a folder of their own."""
    folder = tmp_path / "pictures"
    for number in range(3):
        save(folder / f"{number}.png", number)
    for number in range(3, 5):
        save(folder / "deep" / f"{number}.png", number)
    return folder


def counts(added: Added) -> dict[str, int]:
    """The numbers that are not zero."""
    found = {name: getattr(added, name) for name in ("new", "changed", "moved", "vanished", "unchanged", "embedded")}
    found["unreadable"] = len(added.unreadable)
    return {name: count for name, count in found.items() if count}


def paths(library: Library) -> set[str]:
    return {photo.path for photo in library.records.photos(library.records.vectors()[0])}


def vector_of(library: Library, path: Path) -> np.ndarray:
    (id,) = library.records.ids_of(str(path))
    return library.records.vectors([id])[1][0].astype(np.float32)


def test_every_picture_is_there_with_the_encoder_s_own_vector(library, pictures, encoder):
    assert counts(library.add(pictures)) == {"new": 5, "embedded": 5}
    files = sorted(pictures.rglob("*.png"))
    assert paths(library) == {str(file) for file in files}
    for file in files:
        np.testing.assert_allclose(vector_of(library, file), encoder.embed_images([file])[0], atol=1e-3)


def test_a_jpeg_larger_than_needed_has_the_vector_that_the_encoder_gives_its_file(library, tmp_path, encoder):
    Image.effect_mandelbrot((900, 700), (-2, -1.5, 1, 1.5), 50).convert("RGB").save(tmp_path / "large.jpg")
    library.add(tmp_path / "large.jpg")
    photo = library.records.photo(1)
    assert (photo.width, photo.height) == (900, 700)
    np.testing.assert_allclose(
        vector_of(library, tmp_path / "large.jpg"), encoder.embed_images([tmp_path / "large.jpg"])[0], atol=1e-3
    )


def test_nothing_is_read_again_when_nothing_has_changed(library, pictures, encoder, monkeypatch):
    library.add(pictures)
    monkeypatch.setattr("lexel.library.disk.file_picture.FilePicture.load", None)
    assert counts(library.add(pictures)) == {"unchanged": 5}


def test_only_the_changed_file_is_embedded_and_keeps_its_number(library, pictures, encoder):
    library.add(pictures)
    (before,) = library.records.ids_of(str(pictures / "1.png"))
    save(pictures / "1.png", 77, age=30)
    assert counts(library.add(pictures)) == {"changed": 1, "unchanged": 4, "embedded": 1}
    assert library.records.ids_of(str(pictures / "1.png")) == [before]
    np.testing.assert_allclose(
        vector_of(library, pictures / "1.png"), encoder.embed_images([pictures / "1.png"])[0], atol=1e-3
    )


def test_a_file_of_another_time_but_the_same_content_is_unchanged(library, pictures):
    library.add(pictures)
    aged(pictures / "1.png")
    assert counts(library.add(pictures)) == {"unchanged": 5}


def test_a_change_that_keeps_size_and_time_is_seen_when_the_file_was_young(library, tmp_path, encoder):
    """As on file systems that tell the time in steps of two seconds."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "a.bmp")
    written = (folder / "a.bmp").stat()
    library.add(folder)
    Image.new("RGB", (8, 8), "blue").save(folder / "a.bmp")
    os.utime(folder / "a.bmp", ns=(written.st_mtime_ns, written.st_mtime_ns))
    assert counts(library.add(folder)) == {"changed": 1, "embedded": 1}


def test_a_moved_file_keeps_its_number_and_its_tags_and_is_not_embedded(library, pictures):
    library.add(pictures)
    (id,) = library.records.ids_of(str(pictures / "1.png"))
    library.records.set_tags({id: ["kept"]})
    (pictures / "1.png").rename(pictures / "deep" / "renamed.png")
    assert counts(library.add(pictures)) == {"moved": 1, "unchanged": 4}
    photo = library.records.photo(id)
    assert (photo.name, photo.tags) == ("renamed.png", ("kept",))
    assert [id for id, _ in library.records.search_keywords(["renamed"], 5)] == [id]


def test_a_moved_folder_is_followed(library, pictures):
    library.add(pictures)
    (pictures / "deep").rename(pictures / "deeper")
    assert counts(library.add(pictures)) == {"moved": 2, "unchanged": 3}


def test_a_move_between_two_folders_is_followed_when_only_the_second_is_looked_at(library, pictures, tmp_path):
    library.add(pictures)
    other = tmp_path / "other"
    other.mkdir()
    (pictures / "1.png").rename(other / "1.png")
    assert counts(library.add(other)) == {"moved": 1}
    assert counts(library.refresh()) == {"unchanged": 5}


def test_two_files_that_changed_places_are_not_embedded(library, pictures):
    library.add(pictures)
    (pictures / "1.png").rename(pictures / "x.png")
    (pictures / "2.png").rename(pictures / "1.png")
    (pictures / "x.png").rename(pictures / "2.png")
    aged(pictures / "1.png", 5)
    aged(pictures / "2.png", 5)
    assert counts(library.add(pictures)) == {"changed": 2, "unchanged": 3}


def test_files_that_are_all_renumbered_are_not_embedded(library, tmp_path, monkeypatch):
    """Each name has another content that is known, and each content has lost its name before it is met again."""
    monkeypatch.setattr(indexing, "MIN_CHUNK", 4)
    monkeypatch.setattr(indexing, "MAX_CHUNK", 4)
    folder = tmp_path / "many"
    for number in range(20):
        save(folder / f"{number:02}.png", number)
    library.add(folder)
    for number in reversed(range(20)):
        aged((folder / f"{number:02}.png").rename(folder / f"{number + 1:02}.png"), number)
    added = library.add(folder)
    assert (added.embedded, added.read, added.vanished) == (0, 20, 1)
    assert library.records.rows("SELECT count(*) FROM contents") == [(20,)]


def test_a_new_file_under_an_old_name_while_the_old_one_moved(library, pictures, encoder):
    library.add(pictures)
    (pictures / "1.png").rename(pictures / "was-1.png")
    save(pictures / "1.png", 99, age=5)
    added = library.add(pictures)
    assert added.embedded == 1
    for file in pictures.rglob("*.png"):
        np.testing.assert_allclose(vector_of(library, file), encoder.embed_images([file])[0], atol=1e-3)
    assert counts(library.add(pictures)) == {"unchanged": 6}


def test_copies_are_photos_of_their_own_and_embedded_once(library, pictures):
    for number in range(40):
        aged(Path(shutil.copy(pictures / "0.png", pictures / f"copy{number}.png")))
    assert counts(library.add(pictures)) == {"new": 45, "embedded": 5}
    assert counts(library.add(pictures)) == {"unchanged": 45}
    assert library.records.rows("SELECT count(*) FROM contents") == [(5,)]
    assert library.records.count == 45


def test_a_copy_of_what_is_known_is_not_embedded(library, pictures):
    library.add(pictures)
    shutil.copy(pictures / "0.png", pictures / "copy.png")
    assert counts(library.add(pictures)) == {"new": 1, "unchanged": 5}


def test_vanished_files_are_not_found_and_come_back_without_work(library, pictures, tmp_path):
    library.add(pictures)
    generation = library.records.generation
    shutil.move(pictures / "deep", tmp_path / "away")
    assert counts(library.add(pictures)) == {"vanished": 2, "unchanged": 3}
    assert library.records.count == 3
    assert library.records.generation > generation
    assert counts(library.add(pictures)) == {"unchanged": 3}
    shutil.move(tmp_path / "away", pictures / "deep")
    assert counts(library.add(pictures)) == {"new": 2, "unchanged": 3}
    assert library.records.count == 5


def test_what_lies_outside_the_folder_walked_is_left_alone(library, pictures, tmp_path):
    library.add(pictures)
    save(tmp_path / "other" / "9.png", 9)
    shutil.rmtree(pictures / "deep")
    assert counts(library.add(tmp_path / "other")) == {"new": 1, "embedded": 1}
    assert library.records.count == 6


def test_a_vanished_photo_may_come_back_elsewhere(library, pictures):
    library.add(pictures)
    content = (pictures / "1.png").read_bytes()
    (pictures / "1.png").unlink()
    library.add(pictures)
    (pictures / "new.png").write_bytes(content)
    aged(pictures / "new.png")
    assert counts(library.add(pictures)) == {"moved": 1, "unchanged": 4}


def test_broken_files_are_named_kept_and_tried_again_only_when_they_change(library, pictures, monkeypatch):
    (pictures / "broken.jpg").write_bytes(b"no picture")
    (pictures / "empty.png").write_bytes(b"")
    added = library.add(pictures)
    assert added.unreadable == [
        (str(pictures / "broken.jpg"), "not an image of a known format"),
        (str(pictures / "empty.png"), "empty file"),
    ]
    assert library.records.unreadable() == added.unreadable
    with monkeypatch.context() as patch:
        patch.setattr("lexel.library.disk.file_picture.FilePicture.load", None)
        assert counts(library.add(pictures)) == {"unchanged": 5}
    save(pictures / "empty.png", 55)
    (pictures / "broken.jpg").unlink()
    assert counts(library.add(pictures)) == {"new": 1, "unchanged": 5, "embedded": 1}
    assert library.records.unreadable() == []


def test_copies_of_a_broken_file_are_each_named(library, pictures):
    for number in range(50):
        (pictures / f"broken{number}.jpg").write_bytes(b"no picture")
    assert len(library.add(pictures).unreadable) == 50


def test_a_photo_that_breaks_is_no_longer_found_until_it_is_mended(library, pictures):
    library.add(pictures)
    content = (pictures / "1.png").read_bytes()
    (pictures / "1.png").write_bytes(content[:60])
    assert counts(library.add(pictures)) == {"vanished": 1, "unchanged": 4, "unreadable": 1}
    assert counts(library.add(pictures)) == {"unchanged": 4}
    (pictures / "1.png").write_bytes(content)
    assert counts(library.add(pictures)) == {"new": 1, "unchanged": 4}
    assert library.records.unreadable() == []


def test_a_file_that_changes_while_it_is_read_is_read_again(library, pictures, encoder, monkeypatch):
    from lexel.library.disk import file_picture

    decode, changes = file_picture.decode, iter(range(2))

    def meddle(file, *options):
        image = decode(file, *options)
        if next(changes, None) is not None:
            save(pictures / "1.png", 500 + threading.get_ident() % 7, age=np.random.default_rng().uniform(1, 9))
        return image

    monkeypatch.setattr(file_picture, "decode", meddle)
    assert counts(library.add(pictures / "1.png")) == {"new": 1, "embedded": 1}
    np.testing.assert_allclose(
        vector_of(library, pictures / "1.png"), encoder.embed_images([pictures / "1.png"])[0], atol=1e-3
    )


def test_a_file_that_never_stops_changing_is_named_and_tried_again_the_next_time(library, pictures, monkeypatch):
    from lexel.library.disk import file_picture

    decode = file_picture.decode

    def meddle(file, *options):
        image = decode(file, *options)
        aged(pictures / "1.png", 1)
        return image

    with monkeypatch.context() as patch:
        patch.setattr(file_picture, "decode", meddle)
        assert library.add(pictures / "1.png").unreadable == [(str(pictures / "1.png"), "it changes while it is read")]
    assert counts(library.add(pictures / "1.png")) == {"new": 1, "embedded": 1}


def test_names_that_are_not_utf_8_are_kept_byte_for_byte(library, tmp_path):
    folder = os.fsencode(tmp_path / "b") + b"\xe9b\xe9"
    save(folder + b"/caf\xe9.png", 1)
    save(folder + b"/plain.png", 2)
    assert counts(library.add(os.fsdecode(folder))) == {"new": 2, "embedded": 2}
    assert {os.fsencode(path) for path in paths(library)} == {folder + b"/caf\xe9.png", folder + b"/plain.png"}
    assert counts(library.add(os.fsdecode(folder))) == {"unchanged": 2}
    Path(os.fsdecode(folder + b"/caf\xe9.png")).rename(os.fsdecode(folder + b"/tea\xe8.png"))
    assert counts(library.refresh()) == {"moved": 1, "unchanged": 1}
    (id,) = library.records.ids_where("name LIKE 'tea%'")
    assert library.records.photo(id).shown.endswith("tea\\xe8.png")
    assert library.remove(os.fsdecode(folder)) == 2


def test_loops_of_links_end_and_real_paths_win(library, pictures):
    (pictures / "deep" / "up").symlink_to(pictures)
    (pictures / "also").symlink_to(pictures / "deep")
    (pictures / "self.png").symlink_to(pictures / "self.png")
    (pictures / "dangling.png").symlink_to(pictures / "nowhere.png")
    assert counts(library.add(pictures)) == {"new": 5, "embedded": 5}
    assert not any("also" in path for path in paths(library))


def test_pipes_and_folders_that_look_like_pictures_are_passed_over(library, pictures):
    os.mkfifo(pictures / "pipe.jpg")
    (pictures / "folder.jpg").mkdir()
    (pictures / ".hidden.png").write_bytes((pictures / "0.png").read_bytes())
    assert counts(library.add(pictures)) == {"new": 5, "embedded": 5}


def test_text_beside_a_picture_is_its_caption_and_followed_when_it_changes(library, pictures):
    (pictures / "1.txt").write_text("a dog\n\nin the snow ")
    library.add(pictures)
    (id,) = library.records.ids_of(str(pictures / "1.png"))
    assert library.records.photo(id).caption == "a dog\nin the snow"
    (pictures / "1.txt").write_text("a cat")
    aged(pictures / "1.txt")
    assert counts(library.add(pictures)) == {"unchanged": 5}
    assert library.records.photo(id).caption == "a cat"
    assert [found for found, _ in library.records.search_keywords(["cat"], 5)] == [id]
    assert library.records.search_keywords(["dog"], 5) == []
    (pictures / "1.txt").unlink()
    library.add(pictures)
    assert library.records.photo(id).caption is None


def test_a_metadata_table_gives_captions_and_labels_and_is_followed(library, pictures):
    table = pictures / "metadata.csv"
    table.write_text("file_name,caption,label\n1.png,a red fox,fox\ndeep/3.png,a grey owl,owl\n")
    aged(table)
    assert counts(library.add(pictures)) == {"new": 5, "embedded": 5}
    (id,) = library.records.ids_of(str(pictures / "deep" / "3.png"))
    photo = library.records.photo(id)
    assert (photo.caption, photo.tags) == ("a grey owl", ("owl",))
    library.records.set_tags({id: ["mine"]})
    table.write_text("file_name,caption,label\ndeep/3.png,a white owl,bird\n")
    library.add(pictures)
    assert (library.records.photo(id).caption, library.records.photo(id).tags) == ("a white owl", ("mine", "bird"))
    assert list(library.records.ids_where("tags LIKE '%\"bird\"%'")) == [id]


def test_a_broken_metadata_table_is_told_and_the_pictures_are_taken(library, pictures):
    (pictures / "metadata.jsonl").write_text("{nonsense\n")
    added = library.add(pictures)
    assert counts(added) == {"new": 5, "embedded": 5}
    assert "metadata.jsonl, line 1: not JSON" in added.notes[0]


def test_a_source_gives_its_pictures_captions_and_labels(library, pictures):
    table = pictures / "list.csv"
    table.write_text("file_name,caption,split\n0.png,zero,train\n1.png,one,test\ndeep/3.png,three,test\n")
    assert counts(library.add(f"{table}/test")) == {"new": 2, "embedded": 2}
    assert {photo.caption for photo in library.records.photos([1, 2])} == {"one", "three"}
    (pictures / "1.png").unlink()
    assert counts(library.refresh()) == {"vanished": 1, "unchanged": 1}


def test_pictures_without_files_of_their_own_are_refused(library):
    with pytest.raises(UsageError, match="in no files of their own"):
        library.add("scenes:20")


def test_what_is_not_there_is_refused_and_leaves_nothing(library, tmp_path):
    for given in ("nowhere", "nowhere.png", [tmp_path / "no.png"]):
        with pytest.raises(UsageError, match="There is no"):
            library.add(given)
    assert library.folders == []


def test_chunks_are_committed_one_by_one(library, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(indexing, "MIN_CHUNK", 4)
    monkeypatch.setattr(indexing, "MAX_CHUNK", 4)
    folder = tmp_path / "many"
    for number in range(20):
        save(folder / f"{number:02}.png", number)
    seen, embed = [], encoder.embed_readable

    def note(images, what=None):
        seen.append(library.records.count)
        return embed(images, what)

    monkeypatch.setattr(encoder, "embed_readable", note)
    assert counts(library.add(folder)) == {"new": 20, "embedded": 20}
    assert max(seen) >= 12


def test_an_interrupt_keeps_what_is_committed_and_the_same_call_goes_on(library, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(indexing, "MIN_CHUNK", 4)
    monkeypatch.setattr(indexing, "MAX_CHUNK", 4)
    folder = tmp_path / "many"
    for number in range(20):
        save(folder / f"{number:02}.png", number)
    commit, calls = indexing.Indexing._commit, iter(range(9))

    def interrupted(self, *chunk):
        if next(calls) == 2:
            raise KeyboardInterrupt
        commit(self, *chunk)

    with monkeypatch.context() as patch:
        patch.setattr(indexing.Indexing, "_commit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            library.add(folder)
    assert library.records.count == 8
    assert counts(library.add(folder)) == {"new": 12, "unchanged": 8, "embedded": 12}


def test_thumbnails_are_small_upright_jpegs(library, tmp_path, encoder):
    encoder.exact = True  # or the decoded picture is as small as this encoder's towers ask for
    image = Image.new("RGB", (600, 300), "red")
    image.paste("blue", (0, 0, 300, 300))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: blue then lies on top
    image.save(tmp_path / "turned.jpg", exif=exif)
    picture(1).convert("P").save(tmp_path / "palette.png")
    library.add([tmp_path / "turned.jpg", tmp_path / "palette.png"])
    (id,) = library.records.ids_of(str(tmp_path / "turned.jpg"))
    (other,) = library.records.ids_of(str(tmp_path / "palette.png"))
    photo, small = library.records.photo(id), Image.open(io.BytesIO(library.records.thumbnail(id)))
    assert (photo.width, photo.height, small.format, small.size) == (300, 600, "JPEG", (128, 256))
    assert small.getpixel((64, 20))[2] > 200
    assert small.getpixel((64, 230))[0] > 200
    assert Image.open(io.BytesIO(library.records.thumbnail(other))).size == (24, 16)


def test_a_root_that_was_moved_is_followed_by_content_and_the_old_one_forgotten(library, pictures, tmp_path):
    library.add(pictures)
    (id,) = library.records.ids_of(str(pictures / "1.png"))
    library.records.set_tags({id: ["kept"]})
    moved = pictures.rename(tmp_path / "elsewhere")
    assert counts(library.add(moved)) == {"moved": 5}
    assert (library.records.photo(id).path, library.records.photo(id).tags) == (str(moved / "1.png"), ("kept",))
    assert library.folders == [str(moved)]
    assert counts(library.refresh()) == {"unchanged": 5}


def test_a_root_on_a_drive_that_is_away_is_not_taken_for_moved(library, pictures, tmp_path, monkeypatch):
    from lexel.library.disk import changes_on_disk

    monkeypatch.setattr(changes_on_disk, "MOUNT_FOLDERS", (str(tmp_path),))
    library.add(pictures)
    backup = pictures.rename(tmp_path / "backup")
    assert counts(library.add(backup)) == {"new": 5}
    assert len(library.folders) == 2


def test_an_empty_root_marks_nothing_and_on_return_nothing_is_new(library, pictures, tmp_path):
    library.add(pictures)
    away = pictures.rename(tmp_path / "away")
    pictures.mkdir()
    added = library.refresh()
    assert counts(added) == {}
    assert "not there are 5 of 5 photos; none was marked as vanished" in added.notes[0]
    assert library.records.count == 5
    pictures.rmdir()
    away.rename(pictures)
    assert counts(library.refresh()) == {"unchanged": 5}


def test_a_root_of_which_nearly_all_is_gone_marks_nothing_until_that_is_confirmed(library, tmp_path):
    folder = tmp_path / "many"
    for number in range(30):
        save(folder / f"{number:02}.png", number)
    library.add(folder)
    for number in range(1, 30):
        (folder / f"{number:02}.png").unlink()
    assert counts(library.add(folder)) == {"unchanged": 1}
    assert counts(library.refresh(vanished=True)) == {"vanished": 29, "unchanged": 1}


def test_a_root_whose_pictures_all_went_into_a_folder_of_it_is_followed(library, tmp_path):
    folder = tmp_path / "many"
    for number in range(30):
        save(folder / f"{number:02}.png", number)
    library.add(folder)
    (folder / "sub").mkdir()
    for file in sorted(folder.glob("*.png")):
        file.rename(folder / "sub" / file.name)
    assert counts(library.add(folder)) == {"moved": 30}


def test_folders_of_thumbnails_are_left_out_and_counted_and_raw_pictures_are_named(library, pictures):
    for folder in ("@eaDir", "deep/__MACOSX", "Catalog Previews.lrdata", "$RECYCLE.BIN", ".thumbnails"):
        save(pictures / folder / "thumbnail.png", 50)
    save(pictures / "._0.png", 51)
    for name in ("a.CR2", "b.cr2", "c.MOV", "notes.doc"):
        (pictures / name).write_bytes(b"x")
    added = library.add(pictures)
    assert counts(added) == {"new": 5, "embedded": 5}
    left_out, not_taken = added.notes
    assert "4 folders" in left_out
    assert "@eaDir" in left_out
    assert not_taken.startswith("3 RAW photos and videos passed over (.cr2 2, .mov 1)")


def test_what_is_no_regular_file_is_passed_over_and_named(library, pictures):
    (pictures / "self.png").symlink_to("self.png")
    os.mkfifo(pictures / "pipe.png")
    (pictures / "deep" / "up").symlink_to(pictures)
    added = library.add(pictures)
    assert counts(added) == {"new": 5, "embedded": 5}
    assert added.notes == [
        f"1 passed over, not regular files: {pictures}/pipe.png",
        f"1 passed over, links in a circle: {pictures}/self.png",
        f"1 passed over, links to folders that are looked through already: {pictures}/deep/up",
    ]


def test_a_text_file_in_capitals_gives_a_caption(library, pictures):
    (pictures / "0.TXT").write_text("from a camera")
    library.add(pictures)
    assert [photo.caption for photo in library.records.photos([1, 2])] == ["from a camera", None]


def with_keywords(path: Path, *keywords: str) -> None:
    items = "".join(f"<rdf:li>{keyword}</rdf:li>" for keyword in keywords)
    packet = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<rdf:Description><dc:subject><rdf:Bag>{items}</rdf:Bag></dc:subject></rdf:Description></rdf:RDF>"
    )
    picture(len(keywords)).save(path, xmp=packet.encode())
    aged(path)


def test_keywords_in_a_file_are_found_and_follow_it(library, pictures):
    with_keywords(pictures / "owl.jpg", "owl", "night bird")
    library.add(pictures)
    (id,) = library.records.ids_of(str(pictures / "owl.jpg"))
    assert library.records.photo(id).keywords == ("owl", "night bird")
    assert [found for found, _ in library.records.search_keywords(["night", "bird"], 5)] == [id]
    assert library.stats().with_keywords == 1
    with_keywords(pictures / "owl.jpg", "barn")
    library.add(pictures)
    assert library.records.photo(id).keywords == ("barn",)
    assert library.records.search_keywords(["night"], 5) == []


def test_keywords_of_photos_that_an_older_lexel_took_in_are_read_once_without_embedding(library, pictures, monkeypatch):
    with_keywords(pictures / "owl.jpg", "owl")
    library.add(pictures)
    with library.records.changing() as changes:
        changes.connection.execute("UPDATE files SET keywords = NULL, camera = NULL")
    assert counts(library.refresh()) == {"unchanged": 6}
    assert len(library.records.search_keywords(["owl"], 5)) == 1
    monkeypatch.setattr(indexing, "read_facts", None)
    assert counts(library.refresh()) == {"unchanged": 6}


class Damaged(QuickEncoder):
    """Gives vectors that are no numbers from its fifth picture on."""

    def _vector(self, pixels):
        self.seen = getattr(self, "seen", 0) + 1
        return super()._vector(pixels) * (np.nan if self.seen > 4 else 1)


def test_a_vector_that_is_not_finite_is_never_stored_and_the_picture_named(tmp_path):
    for number in range(6):
        save(tmp_path / "p" / f"{number}.png", number)
    with Library.open(tmp_path / "l.lexel", Damaged(), create=True) as library:
        with pytest.raises(ModelError, match=r"first for .*/p/4\.png"):
            library.add(tmp_path / "p")
        assert library.records.count == 0
    with Library.open(tmp_path / "l.lexel", QuickEncoder()) as library:
        assert library.add(tmp_path / "p").new == 6


def test_reembedding_by_a_damaged_model_keeps_the_old_vectors(tmp_path):
    for number in range(6):
        save(tmp_path / "p" / f"{number}.png", number)
    with Library.open(tmp_path / "l.lexel", QuickEncoder(), create=True) as library:
        library.add(tmp_path / "p")
        _, before = library.records.vectors()
    with pytest.raises(ModelError, match=r"first for .*/p/4\.png"):
        Library.open(tmp_path / "l.lexel", Damaged(name="other", fingerprint="ffff"), reembed=True)
    with Library.open(tmp_path / "l.lexel") as library:
        np.testing.assert_array_equal(library.records.vectors()[1], before)


def test_a_file_that_is_renamed_in_case_only_is_followed_where_case_is_ignored(library, pictures, monkeypatch):
    """A link stands for how such a file system finds a file under both names."""
    library.add(pictures)
    library.records.set_tags({1: ["kept"]})
    (pictures / "0.png").rename(pictures / "0.PNG")
    (pictures / "0.png").symlink_to("0.PNG")
    listdir, scandir = os.listdir, os.scandir
    monkeypatch.setattr(os, "listdir", lambda path: [name for name in listdir(path) if name != "0.png"])

    @contextmanager
    def listing(path):
        with scandir(path) as entries:
            yield [entry for entry in entries if entry.name != "0.png"]

    monkeypatch.setattr(os, "scandir", listing)
    assert counts(library.add(pictures)) == {"moved": 1, "unchanged": 4}
    assert (library.records.photo(1).name, library.records.photo(1).tags) == ("0.PNG", ("kept",))


def test_new_photos_of_a_folder_that_is_away_are_pointed_out(library, pictures, tmp_path, monkeypatch):
    """As when a drive has another mount point than before."""
    monkeypatch.setattr(changes_on_disk, "MOUNT_FOLDERS", (str(tmp_path),))
    library.add(pictures)
    shutil.copytree(pictures, tmp_path / "again")
    shutil.rmtree(pictures)
    added = library.add(tmp_path / "again")
    assert counts(added) == {"new": 5}
    (note,) = added.notes
    assert note.startswith(f"5 of the new photos are also in {pictures}, which is not there now.")
    assert "lexel library relocate" in note
