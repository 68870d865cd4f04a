"""Named data sets, from a server on this machine to sources that are read."""

import gzip
import hashlib
import io
import json
import re
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pictures import picture
from stand_in_hub import StandInHub

from lexel import downloads
from lexel.data.named import NamedDataset, catalog, find_named, pull
from lexel.data.named.catalog import PublishedFile
from lexel.data.readers import read_source
from lexel.errors import DataError, LexelError, UsageError

pytest.importorskip("pyarrow")


@pytest.fixture
def server(monkeypatch) -> Iterator[StandInHub]:
    stand_in = StandInHub()
    running = stand_in.serve()
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.001)
    yield stand_in
    running.shutdown()
    running.server_close()


def published(server: StandInHub, layout: str, archives: dict[str, bytes], **how) -> NamedDataset:
    """A data set whose archives the server has."""
    server.plain |= {f"/{name}": content for name, content in archives.items()}
    files = [
        PublishedFile(url=f"{server.url}/{name}", md5=hashlib.md5(content).hexdigest())
        for name, content in archives.items()
    ]
    told = {"about": "a few pictures", "terms": "none", "home": "https://example.org", "size": "1 kB"}
    return NamedDataset.model_validate({"name": "few", **told, "layout": layout, "files": files, **how})


def tar(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def jpeg(seed: int) -> bytes:
    held = io.BytesIO()
    picture(seed).save(held, "JPEG")
    return held.getvalue()


def labels(source: str) -> list[tuple[str, str | None]]:
    return [(pair.key, pair.label) for pair in read_source(source).pairs]


@pytest.mark.parametrize("kind", ["10", "100"])
def test_cifars_records_become_pictures_with_their_classes(server, tmp_path, kind):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 3, 32, 32), dtype=np.uint8)
    before = b"" if kind == "10" else b"\x07"  # CIFAR-100's coarse label
    rows = [before + bytes([number % 2]) + pixels[number].tobytes() for number in range(5)]
    if kind == "10":
        files = {"r/batches.meta.txt": b"cat\nfire_truck\n\n", "r/data_batch_1.bin": b"".join(rows[:2])}
        files |= {"r/data_batch_2.bin": b"".join(rows[2:4]), "r/test_batch.bin": rows[4]}
    else:
        files = {
            "r/fine_label_names.txt": b"cat\nfire_truck\n",
            "r/train.bin": b"".join(rows[:4]),
            "r/test.bin": rows[4],
        }
    assert pull(published(server, "cifar", {"c.tar.gz": tar(files)}, root="r"), tmp_path / "few")
    train = read_source(f"{tmp_path}/few/train").pairs
    assert [pair.label for pair in train] == ["cat", "fire truck", "cat", "fire truck"]
    assert np.array_equal(np.asarray(train[3].picture.load()).transpose(2, 0, 1), pixels[3])
    assert [pair.label for pair in read_source(f"{tmp_path}/few/test").pairs] == ["cat"]


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def test_mnists_arrays_become_pictures_with_their_classes(server, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    numbers = np.array([7, 0, 1], np.uint8)
    parts = {"train": slice(0, 2), "t10k": slice(2, 3)}
    archives = {}
    for name, part in parts.items():
        archives[f"{name}-images-idx3-ubyte.gz"] = idx(pixels[part])
        archives[f"{name}-labels-idx1-ubyte.gz"] = idx(numbers[part])
    assert pull(published(server, "idx", archives, labels={"0": "T-shirt"}), tmp_path / "few")
    train = read_source(f"{tmp_path}/few/train").pairs
    assert [pair.label for pair in train] == ["7", "T-shirt"]
    assert np.array_equal(np.asarray(train[0].picture.load())[..., 0], pixels[0])
    assert [pair.label for pair in read_source(f"{tmp_path}/few/test").pairs] == ["1"]


def test_class_folders_get_the_names_of_their_classes_and_splits(server, tmp_path):
    files = {f"r/{split}/{name}/{split}.JPEG": jpeg(1) for split in ("train", "val") for name in ("n01", "n02")}
    archive = {"i.tgz": tar(files)}
    assert pull(published(server, "class folders", archive, root="r", labels={"n01": "tench"}), tmp_path / "few")
    assert labels(f"{tmp_path}/few/val") == [("r/val/n01/val.JPEG", "tench"), ("r/val/n02/val.JPEG", "n02")]
    flat = {"e.zip": zipped({"2750/SeaLake/1.jpg": jpeg(1), "2750/Forest/2.jpg": jpeg(2)})}
    assert pull(published(server, "class folders", flat, root="2750"), tmp_path / "flat")
    assert labels(f"{tmp_path}/flat") == [("2750/Forest/2.jpg", "Forest"), ("2750/SeaLake/1.jpg", "SeaLake")]


def test_listed_pictures_have_their_class_in_the_folder_or_in_the_name(server, tmp_path):
    food = {"f/images/apple_pie/1.jpg": jpeg(1), "f/images/soup/2.jpg": jpeg(2)}
    food |= {"f/meta/train.txt": b"apple_pie/1\n", "f/meta/test.txt": b"soup/2\n"}
    lists = {"train": "f/meta/train.txt", "test": "f/meta/test.txt"}
    how = {"root": "f/images", "lists": lists}
    assert pull(published(server, "listed images", {"f.tar.gz": tar(food)}, **how), tmp_path / "food")
    assert labels(f"{tmp_path}/food/train") == [("f/images/apple_pie/1.jpg", "apple pie")]
    assert labels(f"{tmp_path}/food/test") == [("f/images/soup/2.jpg", "soup")]
    pets = {"images.tar.gz": tar({"images/Great_Dane_12.jpg": jpeg(3)})}
    pets["annotations.tar.gz"] = tar({"annotations/test.txt": b"Great_Dane_12 1 1 1\n"})
    how = {"root": "images", "lists": {"test": "annotations/test.txt"}}
    assert pull(published(server, "listed images", pets, **how), tmp_path / "pets")
    assert labels(f"{tmp_path}/pets") == [("images/Great_Dane_12.jpg", "Great Dane")]


def test_coco_is_read_as_it_was_published_and_says_where_it_is_from(server, tmp_path):
    captions = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "a bear"}]}
    archives = {
        "annotations.zip": zipped({"annotations/captions_val2017.json": json.dumps(captions).encode()}),
        "val2017.zip": zipped({"val2017/1.jpg": jpeg(1)}),
    }
    dataset = published(server, "coco", archives)
    assert pull(dataset, tmp_path / "few")
    assert [pair.captions for pair in read_source(f"{tmp_path}/few/val").pairs] == [("a bear",)]
    about = json.loads((tmp_path / "few" / "about.json").read_text())
    assert about["terms"] == "none"
    assert [file["sha256"] for file in about["files"]] == [hashlib.sha256(one).hexdigest() for one in archives.values()]
    assert not (tmp_path / "few.downloads").exists()
    asked = len(server.requests)
    assert not pull(dataset, tmp_path / "few")
    assert len(server.requests) == asked


def test_a_download_goes_on_where_it_was_cut_and_nothing_stays_half_done(server, tmp_path):
    dataset = published(server, "class folders", {"e.zip": zipped({"r/a/1.jpg": jpeg(1)})}, root="r")
    server.cuts["e.zip"] = [200] * 20
    with pytest.raises(LexelError, match="the same command goes on from there"):
        pull(dataset, tmp_path / "few")
    assert not (tmp_path / "few").exists()
    server.cuts.clear()
    assert pull(dataset, tmp_path / "few", keep=True)
    assert server.gets("e.zip")[-1].get("range") == "bytes=200-"
    assert (tmp_path / "few.downloads" / "e.zip").is_file()


def test_another_file_than_the_published_one_is_removed_and_refused(server, tmp_path):
    dataset = published(server, "class folders", {"e.zip": zipped({"r/a/1.jpg": jpeg(1)})}, root="r")
    server.damaged.add("e.zip")
    with pytest.raises(DataError, match=r"e\.zip is not the file that was published: its MD5 is"):
        pull(dataset, tmp_path / "few")
    assert not (tmp_path / "few.downloads" / "e.zip").exists()


def test_a_folder_that_holds_something_else_is_left_alone(server, tmp_path):
    dataset = published(server, "coco", {"e.zip": zipped({"r/a/1.jpg": jpeg(1)})})
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="holds other files"):
        pull(dataset, tmp_path / "few")
    assert server.requests == []


@pytest.mark.parametrize("name", ["../out.jpg", "/out.jpg", "a/../../out.jpg", "..\\out.jpg", "C:/out.jpg"])
@pytest.mark.parametrize("make", [tar, zipped])
def test_archives_write_nothing_outside_of_their_folder(server, tmp_path, name, make):
    dataset = published(server, "coco", {"e.tar.gz" if make is tar else "e.zip": make({name: b"x"})})
    with pytest.raises(DataError, match="leads outside of its folder"):
        pull(dataset, tmp_path / "in" / "few")
    assert not list(tmp_path.rglob("*out.jpg"))


def test_links_in_archives_are_refused(server, tmp_path):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(member)
    with pytest.raises(DataError, match="holds a link or a device, 'link'"):
        pull(published(server, "coco", {"e.tar.gz": held.getvalue()}), tmp_path / "few")


@pytest.mark.parametrize("make", [tar, zipped])
def test_bombs_are_refused_while_they_unpack(server, tmp_path, make, monkeypatch):
    monkeypatch.setattr("lexel.data.named.unpack.MIN_UNPACKED", 1000)
    bomb = make({"bomb": bytes(4 << 20)})
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        pull(published(server, "coco", {"e.tar.gz" if make is tar else "e.zip": bomb}), tmp_path / "few")
    assert not (tmp_path / "few").exists()


@pytest.mark.parametrize(
    ("layout", "name", "content", "message"),
    [
        ("coco", "e.zip", b"no zip", r"e\.zip is damaged"),
        ("coco", "e.tar.gz", tar({"a": bytes(5000)})[:-30], r"e\.tar\.gz is damaged"),
        ("cifar", "e.tar.gz", tar({"a": b""}), r"batches\.meta\.txt is missing"),
        ("idx", "train-images-idx3-ubyte.gz", gzip.compress(b"\0\0\x08\x03"), "is not an IDX file of 3 dimensions"),
        ("class folders", "e.zip", zipped({"a/readme.txt": b""}), "has no pictures in the expected folders"),
    ],
)
def test_what_is_not_as_published_is_refused_by_name(server, tmp_path, layout, name, content, message):
    with pytest.raises(DataError, match=message):
        pull(published(server, layout, {name: content}), tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_every_entry_of_the_catalog_can_be_fetched_or_says_how_to_get_it():
    for name, entry in catalog().items():
        assert entry.name == name
        assert all((entry.about, entry.terms, entry.size))
        assert entry.home.startswith("https://")
        assert bool(entry.files) != bool(entry.how)
        assert (entry.layout == "by hand") == bool(entry.how)
        for file in entry.files:
            assert re.fullmatch("[0-9a-f]{32}", file.md5)
    with pytest.raises(UsageError, match=r'no data set "CIFAR-10"\. Did you mean "cifar10"'):
        find_named("CIFAR-10")
    with pytest.raises(
        UsageError, match=r"flickr8k cannot be downloaded without asking its owners: https://hockenmaier"
    ):
        pull(find_named("flickr8k"), Path("unused"))
