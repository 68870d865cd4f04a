"""docs/scaling.md says what the command computes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "scaling.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_scaling", DOCS / "write_scaling.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_agrees_with_the_plans(writer):
    """Else: python docs/write_scaling.py"""
    assert writer.page(TEXT) == TEXT
    assert TEXT.count("<!-- end -->") == 4


def test_every_command_of_the_page_names_a_plan_that_is_there(writer):
    for name in writer.RECIPES.values():
        assert (writer.PLANS / f"{name}.toml").is_file()
    assert "recipes/plans/vit-b-16.toml" in TEXT


def test_published_hours_are_those_of_the_papers_own_table(writer):
    """Cherti et al. 2022, table 18: hours that their authors counted, beside ours from their pairs per second."""
    hours = {(run.model, run.hardware): run.gpu_hours for run in writer.PUBLISHED if run.source == writer.SCALING_LAWS}
    assert hours["ViT-B/32", "128 A100"] == pytest.approx(11_177, rel=0.001)
    assert hours["ViT-L/14, LAION-2B", "384 A100"] == pytest.approx(122_509, rel=0.001)


def test_published_runs_used_a_believable_share_of_their_machines(writer):
    assert all(0.05 < run.mfu < 0.6 for run in writer.PUBLISHED)
    assert max(run.mfu for run in writer.PUBLISHED) == pytest.approx(writer.MFU, abs=0.005)
