"""Every example of docs/data-formats.md is read as the page says."""

import re
from pathlib import Path

import pytest
from PIL import Image

from lexel.data.pairs import Pair
from lexel.data.readers import read_source
from lexel.data.readers.column_settings import ColumnSettings
from lexel.errors import LexelError

PAGE = (Path(__file__).parents[2] / "docs" / "data-formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+) (\S+)(?: ([^\n]*))?\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = [block for block in BLOCKS if block[0] in ("pairs", "error")]


@pytest.fixture
def page(tmp_path, monkeypatch) -> Path:
    """A folder with the files that the page shows, and small pictures beside them."""
    monkeypatch.chdir(tmp_path)
    pictures = [
        "1.png",
        "2.png",
        "3.png",
        "IMG_1.png",
        "IMG_2.png",
        "photos/a.png",
        "shop/mugs/1.png",
        "shop/cups/1.png",
    ]
    for kind, name, _, content in BLOCKS:
        if kind == "tree":
            pictures += [f"{name}/{line}" for line in content.split()]
        elif kind not in ("pairs", "error"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content, encoding="utf-8")
    for picture in pictures:
        Path(picture).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(picture)
    return tmp_path


def test_the_page_has_its_examples():
    assert len(EXAMPLES) >= 13


@pytest.mark.parametrize(("kind", "source", "change", "expected"), EXAMPLES, ids=[f"{e[1]} {e[2]}" for e in EXAMPLES])
def test_an_example_is_read_as_the_page_says(page, kind, source, change, expected):
    named = ColumnSettings.from_changes([change] if change else [])
    if kind == "error":
        with pytest.raises(LexelError) as error:
            read_source(source, caption=named.caption)
        assert str(error.value).splitlines()[0] == expected.strip()
    else:
        pairs = read_source(source, caption=named.caption).pairs
        assert [_shown(pair) for pair in pairs] == expected.splitlines()


def _shown(pair: Pair) -> str:
    label = f" → {pair.label}" if pair.label else ""
    captions = f" {' | '.join(pair.captions)}" if pair.captions else ""
    return f"{pair.key}:{captions}{label}"
