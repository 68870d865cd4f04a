"""Photos are given out as they were indexed, added by upload and removed; nothing outside the library is touched."""

import io
import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from serving import assert_problem, make_library, png

from lexel.library.library import Library
from lexel.server.app import create_app
from lexel.server.service import Service
from lexel.server.settings import ServerSettings


@pytest.fixture
def home(own_api, tmp_path) -> Path:
    """The folder in which the library of `own_api` lies."""
    return tmp_path


def test_a_photo_is_given_as_it_is_in_its_file(api, library_folder):
    photo = api.get("/v1/photos/1").json()
    answer = api.get(photo["image"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == (library_folder.parent / "pictures" / photo["path"]).read_bytes()
    thumbnail = Image.open(io.BytesIO(api.get(photo["thumbnail"]).content))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (photo["width"], photo["height"]))


def test_a_photo_is_given_smaller_when_asked(api):
    answer = api.get("/v1/photos/1/image", params={"side": 16})
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.format == "JPEG"
    assert max(picture.size) == 16


def test_a_format_that_browsers_do_not_show_comes_as_a_jpeg(own_api):
    written = io.BytesIO()
    Image.new("RGB", (20, 10), "teal").save(written, "TIFF")
    [photo] = own_api.post("/v1/library", files=[("images", ("a.tif", written.getvalue()))]).json()["photos"]
    answer = own_api.get(f"/v1/photos/{photo['id']}/image")
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (20, 10)


def test_another_file_in_a_photos_place_is_not_given_out(own_api, home):
    photo = own_api.get("/v1/photos/1").json()
    path = home / "pictures" / photo["path"]
    secret = home / "secret.txt"
    secret.write_text("the key")
    path.unlink()
    assert_problem(own_api.get(photo["image"]), 404, "file-gone")
    path.symlink_to(secret)
    assert_problem(own_api.get(photo["image"]), 404, "file-changed")
    path.unlink()
    os.mkfifo(path)
    assert_problem(own_api.get(photo["image"], params={"side": 64}), 404, "file-changed")


def test_uploads_are_added_once_and_found(own_api, home):
    files = [("images", ("Holiday 1.png", png("orange", (30, 20)))), ("images", ("notes.txt", b"no picture"))]
    answered = own_api.post("/v1/library", files=files).json()
    good, bad = answered["photos"]
    assert answered["added"] == 1
    assert bad == {"name": "notes.txt", "id": None, "error": "not an image of a known format"}
    assert own_api.get("/v1/library").json()["photos"] == 21
    again = own_api.post("/v1/library", files=files[:1]).json()
    assert (again["added"], again["photos"][0]["id"]) == (0, good["id"])
    [file] = (home / "photos.lexel" / "uploads").iterdir()
    assert file.name.startswith("Holiday-1-")
    hits = own_api.post("/v1/search", json={"where": f"name = '{file.name}'"}).json()["hits"]
    assert [hit["id"] for hit in hits] == [good["id"]]


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "..\\..\\evil.png", "a\x00b.png", ".png", "…", "CON", "a" * 500 + ".png"]
)
def test_no_name_of_an_upload_leads_out_of_the_library(own_api, home, name):
    before = {path for path in home.rglob("*") if "photos.lexel" not in path.parts}
    answer = own_api.post("/v1/library", files=[("images", (name, png("pink")))])
    assert answer.status_code in (200, 400), answer.text
    assert {path for path in home.rglob("*") if "photos.lexel" not in path.parts} == before
    assert not Path("/etc/passwd.png").exists()


def test_a_damaged_upload_leaves_no_file(own_api, home):
    cut = png("red", (400, 300))[:-60]
    [photo] = own_api.post("/v1/library", files=[("images", ("cut.png", cut))]).json()["photos"]
    assert photo["id"] is None
    assert photo["error"]
    assert str(home) not in photo["error"]
    assert list((home / "photos.lexel" / "uploads").iterdir()) == []


def test_removing_deletes_only_what_was_uploaded(own_api, home):
    [photo] = own_api.post("/v1/library", files=[("images", ("a.png", png("teal")))]).json()["photos"]
    assert own_api.delete(f"/v1/library/{photo['id']}").json() == {"removed": photo["id"], "file_deleted": True}
    assert list((home / "photos.lexel" / "uploads").iterdir()) == []
    first = own_api.get("/v1/photos/1").json()
    assert own_api.delete("/v1/library/1").json() == {"removed": 1, "file_deleted": False}
    assert (home / "pictures" / first["path"]).is_file()
    assert_problem(own_api.get("/v1/photos/1"), 404, "no-photo")
    assert_problem(own_api.delete("/v1/library/1"), 404, "no-photo")


def test_what_was_uploaded_and_removed_may_come_back(own_api):
    files = [("images", ("a.png", png("teal")))]
    [photo] = own_api.post("/v1/library", files=files).json()["photos"]
    own_api.delete(f"/v1/library/{photo['id']}")
    assert own_api.post("/v1/library", files=files).json()["photos"][0]["id"] is not None


def test_uploads_stay_when_the_library_is_looked_through_again(own_api, home):
    own_api.post("/v1/library", files=[("images", ("a.png", png("teal")))])
    with Library.open(home / "photos.lexel") as library:
        added = library.refresh()
    assert (added.unchanged, added.vanished) == (21, 0)


def test_a_read_only_library_is_not_changed(tmp_path, model):
    folder = make_library(tmp_path, model)
    with TestClient(create_app(Service.open(folder, ServerSettings(read_only=True)))) as api:
        assert_problem(api.post("/v1/library", files=[("images", png())]), 403, "read-only")
        assert_problem(api.delete("/v1/library/1"), 403, "read-only")
        assert api.get("/v1/library").json()["read_only"] is True
