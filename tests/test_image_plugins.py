"""HEIC where pillow-heif is installed, TIFF without noise, and cursors that are called icons."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from lexel.errors import BadImageError
from lexel.images import decode, describe


def test_heic_is_read_upright_where_pillow_heif_is_installed(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    picture = Image.fromarray(np.full((32, 64, 3), (200, 30, 30), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.heic", exif=exif.tobytes())
    decoded = decode(tmp_path / "a.heic")
    assert decoded.size == (32, 64)
    np.testing.assert_allclose(np.asarray(decoded)[32, 16], (200, 30, 30), atol=8)  # it is lossy
    assert describe(tmp_path / "a.heic")[0] == "HEIF"


def test_heic_without_pillow_heif_names_the_extra(monkeypatch):
    monkeypatch.setattr("lexel.images.register_heic", lambda: False)
    with pytest.raises(BadImageError, match=r'HEIC needs pillow-heif: pip install "lexel\[heic\]"'):
        decode(b"\0\0\0\x18ftypheic" + bytes(40))


def test_damaged_heic_is_refused_in_a_few_words():
    pytest.importorskip("pillow_heif")
    with pytest.raises(BadImageError):
        decode(b"\0\0\0\x18ftypheic" + bytes(40))


def test_a_damaged_tiff_writes_nothing_to_standard_error(tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8) * 255).convert("1").save(
        file, "TIFF", compression="group4"
    )
    content = bytearray(file.getvalue())
    content[8:80] = bytes(72)
    (tmp_path / "a.tif").write_bytes(content)
    code = (
        "from lexel.images import decode\nfrom lexel.errors import BadImageError\n"
        f"try: decode({str(tmp_path / 'a.tif')!r})\nexcept BadImageError: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_cursor_that_is_called_an_icon_is_read(tmp_path):
    file = io.BytesIO()
    Image.new("RGBA", (32, 32), "red").save(file, "ICO", bitmap_format="bmp", sizes=[(32, 32)])
    content = bytearray(file.getvalue())
    content[2] = 2  # a cursor instead of an icon
    (tmp_path / "a.ico").write_bytes(content)
    assert decode(tmp_path / "a.ico").getpixel((16, 16)) == (255, 0, 0)
