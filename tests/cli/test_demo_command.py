import sys

import pytest

from lexel.server import run


@pytest.fixture
def served(monkeypatch) -> list:
    """What would have been served."""
    plans = []
    monkeypatch.setattr(run, "serve", plans.append)
    return plans


@pytest.fixture
def quick_demo(monkeypatch, tiny_run):
    """The demo's end, without its training."""
    from lexel import demo
    from lexel.demo import Demo, Shown
    from lexel.loading import load

    def done(recipe, output, on_progress):
        shown = [Shown(output / "pictures" / "a.png", "red star", "a red star", [("red star", 0.9)])]
        return Demo(tiny_run, load(tiny_run.model), tiny_run.report, output / "report.html", 30, shown)

    monkeypatch.setattr(demo, "run_demo", done)
    monkeypatch.setattr(Demo, "to_json", lambda self: {"zero_shot_top1": 0.9, "chance": 1 / 30})
    return tiny_run.model


def test_the_demo_ends_by_offering_the_web_page(lexel, quick_demo, served, tmp_path):
    done = lexel("demo", "-o", tmp_path)
    assert done.status == 0
    assert f"lexel serve {quick_demo}" in done.out
    assert served == []


def test_the_demo_goes_on_to_the_web_page_when_asked(lexel, quick_demo, served, tmp_path):
    assert lexel("demo", "-o", tmp_path, "--serve").status == 0
    assert [plan.target for plan in served] == [str(quick_demo)]
    assert served[0].host == "127.0.0.1"


def test_a_library_that_serving_needs_is_missed_before_the_demo_begins(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    said = refused("demo", "-o", tmp_path / "demo", "--serve")
    assert 'pip install "lexel[serve]"' in said
    assert not (tmp_path / "demo").exists()
