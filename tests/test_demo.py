import pytest
from tiny import tiny_recipe

from lexel import demo
from lexel.demo import Demo, demo_recipe, run_demo
from lexel.evaluation.report.report import Report
from lexel.images import decode


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Demo:
    """The demo, with a run of two steps and a test of forty scenes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "TEST", "scenes:40/test")
        return run_demo(tiny_recipe(("steps=2",)), tmp_path_factory.mktemp("demo"), told.append)


told: list[str] = []


def test_the_demo_leaves_a_model_a_report_and_pictures(done):
    report = Report.load(done.page.parent)
    assert report.metrics() == done.report.metrics()
    assert done.page.read_text().startswith("<!doctype html>")
    assert (done.run.model / "model.json").exists()
    assert len(done.shown) == demo.PICTURES
    for shown in done.shown:
        assert decode(shown.path).size == (64, 64)
        assert shown.label
        assert shown.caption
        assert len(shown.guesses) == 3


def test_the_demo_tells_of_its_three_parts(done):
    assert [sentence.split()[0] for sentence in told] == ["Learning", "Measuring", "Using"]


def test_the_demo_s_numbers_come_as_json(done):
    numbers = done.to_json()
    assert numbers.keys() == {
        *("zero_shot_top1", "chance", "classes", "retrieval_recall_at_1", "training_seconds", "report", "model")
    }
    assert numbers["chance"] == 1 / numbers["classes"]
    assert 0 <= numbers["zero_shot_top1"] <= 1
    assert numbers["report"] == str(done.page)


def test_the_demo_s_own_recipe_is_whole_and_can_be_changed():
    assert demo_recipe([]).data.sources[0].source.startswith("scenes:")
    assert demo_recipe(["steps=3"]).steps == 3
