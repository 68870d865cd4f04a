import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field

from lexel.config import Config
from lexel.training.adaptation.settings import AdaptSettings
from lexel.training.distillation.settings import DistillSettings
from lexel.training.recipe import Recipe
from lexel.training.recipe_reference import field_comments, reference

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"


def rows(page: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Section, key, type, default and meaning of every row."""
    section = ""
    for line in page.splitlines():
        if line.startswith("#"):
            section = line.strip("# ")
        elif line.startswith("| `"):
            yield (section, *(cell.strip() for cell in line.replace("\\|", "\0").strip("|").split("|")))


def test_the_page_is_what_the_settings_say():
    assert PAGE.read_text() == reference(), "write it again: python -m lexel.training.recipe_reference docs/recipes.md"


def test_every_key_says_its_type_and_its_meaning():
    listed = list(rows(reference()))
    assert len(listed) > 120
    assert [row for row in listed if not (row[2] and row[4])] == []


def test_the_defaults_are_those_of_the_code():
    told = {}
    for section, key, _, default, _ in rows(reference()):
        if default.startswith("`") and not section.startswith("[model."):
            path = [part for part in section.strip("[]").split(".") if section.startswith("[")]
            told[".".join([*path, key.strip("`")])] = tomllib.loads(f"x = {default.strip('`')}")["x"]
    recipe = Recipe.build({"steps": 1, "data": {"sources": [{"source": "scenes:9"}]}}).model_dump(mode="json")
    recipe["data"]["sources"] = recipe["data"]["sources"][0]
    recipe["adapt"] = AdaptSettings().model_dump(mode="json")  # which a recipe without a starting model has not
    recipe["distill"] = DistillSettings(teacher="big").model_dump(mode="json")
    assert len(told) > 30
    for path, default in told.items():
        found = recipe
        for part in path.split("."):
            found = found[part]
        words = isinstance(default, list) and all(isinstance(one, str) for one in default)
        if isinstance(default, float | list) and not words:
            default = pytest.approx(default, rel=1e-3)
        assert found == default, path


class Plain(Config):
    first: int = 1  # beside it
    second: int = 2
    # below it, "with | marks",
    # over two lines
    third: int = Field(
        default=3,  # within it
        ge=0,
    )
    fourth: int = 4


class Inheriting(Plain):
    fifth: int = 5  # its own


def test_the_meaning_of_a_key_is_the_comment_beside_or_below_it():
    assert field_comments(Inheriting) == {
        "first": "beside it",
        "second": 'below it, "with | marks", over two lines',
        "third": "within it",
        "fourth": "",
        "fifth": "its own",
    }
