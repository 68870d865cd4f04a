"""The command line, called in this process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lexel.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch) -> Path:
    """A cache folder of this test alone."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LEXEL_CACHE", str(folder))
    return folder


@pytest.fixture
def lexel(monkeypatch, capsys) -> Callable[..., Outcome]:
    """Call `lexel` with these words, as from a shell."""

    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lexel", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return Outcome(int(end.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def refused(lexel) -> Callable[..., str]:
    """Call `lexel` with these words, which are a mistake: what it says in at most three lines, with exit status 2."""

    def call(*words: object) -> str:
        done = lexel(*words)
        assert done.status == 2
        assert done.out == ""
        assert done.err.startswith(f"lexel {words[0]}: ")
        assert done.err.count("\n") <= 3
        return done.err

    return call


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The current folder: red.png and blue.png, a broken.jpg, an empty folder."""
    for colour in ("red", "blue"):
        Image.new("RGB", (32, 24), colour).save(tmp_path / f"{colour}.png")
    (tmp_path / "broken.jpg").write_text("no picture")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path
