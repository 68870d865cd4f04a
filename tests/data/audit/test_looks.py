import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from lexel.data.audit import looks as looks_module
from lexel.data.audit.looks import FLAT_SPREAD, LOOK, look_at
from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, Source
from lexel.data.readers import read_source


def source_of(*pictures) -> Source:
    return Source("s", [Pair(str(number), picture) for number, picture in enumerate(pictures)])


@pytest.fixture
def files(tmp_path) -> list[ImageFile]:
    """A large JPEG, one lying on its side, an RGBA PNG, a flat one, one that is cut off."""
    smooth(0, 900, 600).save(tmp_path / "a.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth(1, 90, 60).save(tmp_path / "b.jpg", exif=exif)
    smooth(2, 20, 30).convert("RGBA").save(tmp_path / "c.png")
    Image.new("RGB", (50, 50), (9, 90, 200)).save(tmp_path / "d.webp")
    (tmp_path / "e.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:9000])
    return [ImageFile(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.png", "d.webp", "e.jpg")]


def test_sizes_are_those_of_the_upright_picture_however_it_was_decoded(files):
    found = look_at(source_of(*files))
    assert found.rows["width"][:4].tolist() == [900, 60, 20, 50]
    assert found.rows["height"][:4].tolist() == [600, 90, 30, 50]
    assert [found.formats[number] for number in found.rows["format"][:4]] == [
        "JPEG RGB",
        "JPEG RGB",
        "PNG RGBA",
        "WEBP RGB",
    ]
    assert found.rows["bytes"][:4].tolist() == [file.path.stat().st_size for file in files[:4]]


def test_greys_are_those_of_the_whole_picture(files):
    found = look_at(source_of(*files))
    for number, file in enumerate(files[:4]):
        greys = np.asarray(file.load().convert("L"), float)
        assert found.rows["grey"][number] == pytest.approx(greys.mean(), abs=1.5)  # greys of a small copy, rounded
    assert found.flat.tolist() == [False, False, False, True, False]
    assert found.rows["spread"][0] > FLAT_SPREAD


def test_fine_texture_is_not_taken_for_one_colour(tmp_path):
    random = np.random.default_rng(0)
    grass = np.clip(random.normal(120, 12, (128, 128, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(grass).save(tmp_path / "grass.png")
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (200, 0, 0), (0, 102, 0)  # of nearly the same grey
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    found = look_at(source_of(*(ImageFile(tmp_path / name) for name in ("grass.png", "stripes.png"))))
    assert found.flat.tolist() == [False, False]


def test_a_picture_that_is_cut_off_is_found_although_it_is_decoded_at_reduced_scale(files):
    found = look_at(source_of(*files))
    assert [(bad.key, bad.reason) for bad in found.bad] == [("4", "truncated")]
    assert found.readable.tolist() == [0, 1, 2, 3]


def test_processes_threads_and_bytes_see_the_same(files, monkeypatch):
    monkeypatch.setattr(looks_module, "MIN_FOR_PROCESSES", 1)
    alone, together = look_at(source_of(*files)), look_at(source_of(*files), processes=2)
    embedded = look_at(source_of(*(EmbeddedImage(file.path.read_bytes()) for file in files)))
    for name in LOOK.names or ():
        assert (alone.rows[name] == together.rows[name]).all()
        assert (alone.rows[name] == embedded.rows[name]).all()
    assert alone.bad == together.bad == embedded.bad


class EndsItsProcess:
    """Takes with it the process that loads it, unless that is the first one."""

    def __init__(self, process: int) -> None:
        self.process = process

    def load(self) -> Image.Image:
        import os

        if os.getpid() != self.process:
            os._exit(9)
        return Image.new("RGB", (8, 8))


def test_a_process_that_is_killed_costs_nothing_but_its_help(files, monkeypatch, capsys):
    import os

    monkeypatch.setattr(looks_module, "MIN_FOR_PROCESSES", 1)
    found = look_at(source_of(*files, EndsItsProcess(os.getpid())), processes=2)
    assert found.readable.tolist() == [0, 1, 2, 3, 5]
    assert "was killed" in capsys.readouterr().err


def test_drawn_pictures_are_looked_at_too():
    found = look_at(read_source("scenes:5"))
    assert found.formats == ("in memory",)
    assert found.readable.tolist() == [0, 1, 2, 3, 4]
    assert len(np.unique(found.rows["content"], axis=0)) == 5
