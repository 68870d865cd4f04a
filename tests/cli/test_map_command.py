import json
import re

import pytest
from colour_runtime import colour_model
from colours_served import make_coloured_folder

from lexel.library.library import Library


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library whose model is found, although it lies in no folder."""
    folder = make_coloured_folder(tmp_path)
    plain = Library.open.__func__
    monkeypatch.setattr(Library, "open", classmethod(lambda cls, path, *_, **given: plain(cls, path, colour_model())))
    return folder


def test_the_map_is_one_page_that_needs_nothing_else(lexel, library, tmp_path):
    page = tmp_path / "map.html"
    done = lexel("map", library, "-o", page)
    assert done.status == 0
    assert "60 photos and 60 captions" in done.out
    html = page.read_text()
    assert not re.search(r"(?:src|href)=[\"'](?!data:)|@import|https?://", html)
    [content] = re.findall(r'id="map-data">(.*?)</script>', html, re.S)
    data = json.loads(content)
    assert len(data["ids"]) == len(data["x"]) == 60
    assert data["images"][0].startswith("data:image/jpeg;base64,")
    assert "function spaceMap" in html


def test_a_file_name_cannot_end_the_page_s_script(lexel, library, tmp_path, monkeypatch):
    monkeypatch.setattr("lexel.library.store.records.Photo.name", property(lambda _: "</script><script>alert(1)"))
    assert lexel("map", library, "-o", tmp_path / "map.html").status == 0
    assert "<script>alert" not in (tmp_path / "map.html").read_text()


def test_the_map_comes_as_json_too(lexel, library, tmp_path):
    told = lexel("map", library, "-o", tmp_path / "map.html", "--json").json
    assert told["photos"] == 60
    assert sum(group["photos"] for group in told["groups"]) == 60
    assert told["modality_gap"] >= 0


def test_a_library_that_is_not_there_is_said_in_one_line(refused, tmp_path):
    assert "none.lexel" in refused("map", tmp_path / "none.lexel", "-o", tmp_path / "map.html")
    assert not (tmp_path / "map.html").exists()
