import pytest
from PIL import Image

from lexel.training.run.curves import draw_curves
from lexel.training.run.log import read_log


def line(step: int, loss: float | None = 1.0) -> dict:
    return {"step": step, "loss": loss, "accuracy": 0.5}


@pytest.mark.parametrize(
    "lines",
    [
        [line(0)],
        [line(step) for step in range(200)],
        [line(0), line(1, None), line(2)],
        [line(0), {"step": 0, "skipped": True, "keys": []}, {"step": 0, "evaluation": {"zero_shot/top1": 0.5}}],
        [line(0), {"step": 0, "evaluation": {"zero_shot/mean_per_class": 0.5}}],
    ],
    ids=["one step", "many steps", "a loss that was no number", "an evaluation", "nothing of it shown"],
)
def test_a_log_becomes_one_picture(tmp_path, lines):
    draw_curves(lines, tmp_path / "curves.png", "a run")
    with Image.open(tmp_path / "curves.png") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (1430, 374))


def test_a_run_leaves_its_curves(tiny_run, tmp_path):
    draw_curves(read_log(tiny_run.folder), tmp_path / "again.png", "tiny")
    assert (tmp_path / "again.png").read_bytes() == (tiny_run.folder / "curves.png").read_bytes()
