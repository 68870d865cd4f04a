import json
import os
import shutil
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def pictures(here) -> Path:
    folder = here / "pictures"
    folder.mkdir()
    for name in ("red.png", "blue.png"):
        (here / name).rename(folder / name)
    return folder


@pytest.fixture
def library(lexel, tiny_model, pictures) -> str:
    assert lexel("index", "photos.lexel", "pictures", "--model", tiny_model).status == 0
    return "photos.lexel"


def test_stats_remove_and_export(lexel, library, here, pictures):
    assert lexel("library", "stats", library, "--json").json["photos"] == 2
    assert lexel("library", "stats", library).out.startswith("photos            2, 2 of them different")
    assert lexel("library", "export", library, "out.parquet").out == "2 photos in out.parquet\n"
    assert pq.read_metadata(here / "out.parquet").num_rows == 2
    assert lexel("library", "remove", library, "pictures/red.png", "--json").json == {"removed": 1}
    assert lexel("index", library).out.endswith("1 photo; 0 new, 1 unchanged\n")


def test_the_check_says_how_exact_search_is(lexel, library):
    pytest.importorskip("faiss")
    assert lexel("library", "check", library, "--json").json["recall_at_10"] == 1
    assert lexel("library", "check", library).out.startswith("Search finds 100.0% of the ten nearest")


def test_verify_says_when_all_is_whole_and_fails_when_it_is_not(lexel, library, here, monkeypatch):
    from lexel.library.upkeep import verification

    monkeypatch.setattr(verification, "_of_the_index", lambda _: [])
    assert lexel("library", "verify", library).out == "photos.lexel is whole: 2 photos.\n"
    connection = sqlite3.connect(here / library / "records.sqlite")
    connection.execute("DELETE FROM vectors")
    connection.commit()
    connection.close()
    done = lexel("library", "verify", library, "--json")
    assert done.status == 1
    assert "have no vector" in json.loads(done.out)["damages"][0]["what"]
    mended = lexel("library", "verify", library, "--repair")
    assert mended.status == 0
    assert mended.out.startswith(f"2 photos are to be read again: lexel index {library}\n")
    assert "2 photos; 2 new" in lexel("index", library).out
    assert lexel("library", "verify", library, "--json").json["damages"] == []


def test_another_model_is_refused_until_it_is_asked_for(lexel, refused, library, tiny_model, here):
    shutil.copytree(tiny_model, here / "other", ignore=shutil.ignore_patterns("calibration.json"))
    manifest = here / "other" / "model.json"
    content = json.loads(manifest.read_text())
    content["preprocessing"]["mean"][0] = 0.1
    manifest.write_text(json.dumps(content))
    assert "is another model" in refused("index", library, "pictures", "--model", "other")
    done = lexel("library", "reembed", library, "other", "--json")
    assert (done.status, done.json["photos"], done.json["model"]) == (0, 2, str(here / "other"))
    assert lexel("library", "stats", library, "--json").json["model"] == str(here / "other")
    assert lexel("index", library).out.endswith("2 photos; 0 new, 2 unchanged\n")


def test_a_folder_on_another_drive_is_relocated_and_keeps_all_that_is_known(lexel, library, pictures, here):
    other = here / "drive"
    shutil.copytree(pictures, other / "pictures")
    shutil.rmtree(pictures)
    assert f"lexel library relocate {here / library} {pictures} NEW" in lexel("index", library).err
    assert lexel("library", "stats", library).out.count("pictures (not there now)") == 1
    done = lexel("library", "relocate", library, pictures, other / "pictures")
    assert (done.status, done.out) == (0, f"Of 2 photos, in {other}/pictures: 2 found, 0 changed, 0 missing\n")
    assert lexel("index", library).out.endswith("2 photos; 0 new, 2 unchanged\n")


def test_a_wrong_place_is_written_only_by_force(lexel, library, pictures, here):
    (pictures / "red.png").rename(here / "empty" / "red.png")
    os.utime(here / "empty" / "red.png")
    shutil.move(pictures, here / "away")
    trial = lexel("library", "relocate", library, "pictures", "empty", "--dry-run", "--json")
    assert (trial.status, trial.json["found"], trial.json["written"]) == (0, 1, False)
    (here / "empty" / "red.png").write_bytes(b"other")
    done = lexel("library", "relocate", library, "pictures", "empty")
    assert done.status == 1
    assert "0 found, 1 changed, 1 missing\nNothing was written" in done.out
    forced = lexel("library", "relocate", library, "pictures", "empty", "--force")
    assert forced.status == 0
    assert forced.out.endswith(f"Bring it up to date: lexel index {library}\n")
    assert lexel("library", "stats", library, "--json").json["folders"] == [str(here / "empty")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stats", "new.lexel"), "There is no library"),
        (("remove", "photos.lexel", "nowhere"), "has nothing of nowhere"),
        (("export", "photos.lexel", "out.csv"), "ends in .parquet"),
        (("reembed", "photos.lexel", "nowhere"), "nowhere"),
        (("relocate", "photos.lexel", "elsewhere", "pictures"), "has nothing of"),
        (("relocate", "photos.lexel", "pictures", "nowhere"), "Is its drive mounted?"),
        (("relocate", "photos.lexel", "pictures", "pictures/"), "is both the old place and the new one"),
    ],
)
def test_mistakes_are_refused_and_leave_nothing(refused, library, here, words, said):
    before = sorted(here.rglob("*"))
    assert said in refused("library", *words)
    assert sorted(here.rglob("*")) == before
