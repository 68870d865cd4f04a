import hashlib
import io
import os

import numpy as np
import pytest
from PIL import Image

from lexel.data.pairs import EmbeddedImage, ImageFile
from lexel.data.picture_hash import hash_of, load_with_hash
from lexel.data.scenes.source import Scene
from lexel.errors import BadImageError


@pytest.fixture
def content() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(file, "PNG")
    return file.getvalue()


def test_the_hash_is_the_start_of_the_sha256_of_the_file_wherever_it_lies(content, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    expected = int(hashlib.sha256(content).hexdigest()[:16], 16)
    assert hash_of(ImageFile(tmp_path / "a.png")) == hash_of(EmbeddedImage(content)) == expected


def test_pixels_and_hash_come_from_one_reading(content, tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    expected = ImageFile(path).load(), hash_of(ImageFile(path))
    opened = []
    original = type(path).open
    monkeypatch.setattr(type(path), "open", lambda self, *given: opened.append(self) or original(self, *given))
    image, found = load_with_hash(ImageFile(path))
    assert opened == [path]
    assert np.array_equal(image, expected[0])
    assert found == expected[1]


def test_a_drawn_picture_is_known_by_its_description():
    assert hash_of(Scene("train", 0, 1)) == hash_of(Scene("train", 0, 1))
    assert len({hash_of(Scene(split, seed, 1)) for split in ("train", "val") for seed in (0, 1)}) == 4


def test_a_file_that_cannot_be_read_is_named(content, tmp_path):
    (tmp_path / "bad.png").write_bytes(content[:40])
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("absent.png", "bad.png", "pipe.png"):
        with pytest.raises(BadImageError, match=name):
            load_with_hash(ImageFile(tmp_path / name))
