"""The data sets that are known by name: their addresses, checksums, terms and layouts, in `catalog.toml`."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import Field

from lexel.config import Config
from lexel.errors import UsageError, did_you_mean


class PublishedFile(Config):
    """A file to fetch, with the MD5 that its publisher, or the libraries that fetch it, give."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


class NamedDataset(Config):
    """A data set that people train and test on."""

    name: str = ""
    about: str
    terms: str
    home: str
    size: str  # of the download, for people
    layout: Literal["cifar", "idx", "class folders", "listed images", "coco", "by hand"]
    files: tuple[PublishedFile, ...] = ()
    root: str = ""  # of the pictures within what is unpacked
    lists: dict[str, str] = Field(default_factory=dict)  # split → the list of its pictures
    labels: dict[str, str] = Field(default_factory=dict)  # the publisher's name of a class → the label
    how: str = ""  # to get it, where it may not be fetched by a program


@cache
def catalog() -> dict[str, NamedDataset]:
    """All data sets that are known, by name."""
    text = files("lexel.data.named").joinpath("catalog.toml").read_text(encoding="utf-8")
    return {name: NamedDataset.model_validate({"name": name, **entry}) for name, entry in tomllib.loads(text).items()}


def find_named(name: str) -> NamedDataset:
    """The data set of that name. Raises UsageError with the nearest one."""
    known = catalog()
    if name not in known:
        near = did_you_mean(name.lower(), known)
        raise UsageError(f'There is no data set "{name}".{near} All of them: lexel data pull --list')
    return known[name]
