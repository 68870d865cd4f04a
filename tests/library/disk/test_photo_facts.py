import io
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from lexel.library.disk.photo_facts import read_facts
from lexel.library.store.changes import PhotoFacts

CAMERA, GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
ODD = Path(__file__).parents[3] / ".data" / "odd_images"


def exif(main=None, camera=None, gps=None) -> Image.Exif:
    made = Image.Exif()
    made.update(main or {})
    made.get_ifd(CAMERA).update(camera or {})
    made.get_ifd(GPS).update(gps or {})
    return made


def facts(made: Image.Exif, kind: str = "JPEG", size=(30, 20)) -> PhotoFacts:
    content = io.BytesIO()
    Image.new("RGB", size).save(content, kind, exif=made.tobytes())
    content.seek(0)
    return read_facts(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_size_date_place_and_camera_are_read(kind):
    made = exif(
        {0x010F: "Canon", 0x0110: "EOS R5\0", 0x0132: "2020:01:01 00:00:00"},
        {0x9003: "2024:05:31 18:02:11"},
        {1: "S", 2: (33.0, 51.0, 30.0), 3: "W", 4: (70.0, 30.0, 0.0)},
    )
    assert facts(made, kind) == PhotoFacts(30, 20, "2024-05-31T18:02:11", -33.8583333, -70.5, "Canon EOS R5")


def test_sizes_are_those_of_the_upright_picture():
    assert facts(exif({0x0112: 6}))[:2] == (20, 30)
    assert facts(exif({0x0112: 3}))[:2] == (30, 20)


@pytest.mark.parametrize(
    ("main", "camera", "taken"),
    [
        ({}, {0x9004: "2001:02:03 04:05:06"}, "2001-02-03T04:05:06"),
        ({0x0132: "2001:02:03 04:05:06"}, {}, "2001-02-03T04:05:06"),
        ({0x0132: "2001:02:03 04:05:06"}, {0x9003: "0000:00:00 00:00:00"}, "2001-02-03T04:05:06"),
        ({}, {0x9003: "2001-02-03T04:05:06+02:00"}, "2001-02-03T04:05:06"),
        ({}, {0x9003: "2001:02:03 04:05"}, "2001-02-03T04:05:00"),
        ({}, {0x9003: "    :  :     :  :  "}, None),
        ({}, {0x9003: "2001:02:31 04:05:06"}, None),
        ({}, {}, None),
    ],
)
def test_the_date_is_that_of_the_shot_or_the_next_best(main, camera, taken):
    assert facts(exif(main, camera)).taken == taken


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},  # written without a fix
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (10.0, 0.0, 0.0)},
        {1: "N", 2: (45.0, 0.0, 0.0)},
        {1: "N", 2: (45.0,), 3: "E", 4: (10.0, 0.0, 0.0)},
    ],
)
def test_a_place_that_cannot_be_is_none(gps):
    assert facts(exif(gps=gps))[3:5] == (None, None)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Apple", "iPhone 4", "Apple iPhone 4"),
        ("Canon Inc.", "Canon EOS 5D", "Canon EOS 5D"),
        ("", "X100", "X100"),
        ("", "", None),
    ],
)
def test_the_maker_is_not_said_twice(make, model, camera):
    assert facts(exif({0x010F: make, 0x0110: model})).camera == camera


def test_what_is_no_picture_has_no_facts():
    assert read_facts(io.BytesIO(b"nothing")) == PhotoFacts()


def test_damaged_exif_costs_nothing_else():
    content = io.BytesIO()
    Image.new("RGB", (30, 20)).save(content, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    content.seek(0)
    assert read_facts(content) == PhotoFacts(30, 20)


def test_the_pixels_of_a_png_are_not_decoded(monkeypatch):
    content = io.BytesIO()
    Image.new("RGB", (30, 20)).save(content, "PNG")
    content.seek(0)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    assert read_facts(content) == PhotoFacts(30, 20)


@pytest.mark.skipif(not ODD.is_dir(), reason="the development data is not unpacked")
def test_odd_files_never_raise():
    found = {}
    for path in sorted(ODD.iterdir()):
        with path.open("rb") as file:
            found[path.name] = read_facts(file)
    assert found["camera__Apple_iPhone_4.jpg"].camera == "Apple iPhone 4"
