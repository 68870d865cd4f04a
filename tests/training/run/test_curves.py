import pytest
from PIL import Image

from lexel.evaluation.report.sections import Chart, Paragraph
from lexel.training.run.curves import curve_blocks, draw_curves
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
        [line(0), {"step": 0, "evaluation": {"loss": 2.0, "zero_shot/top1": 0.5}}],
        [line(0), {"step": 0, "evaluation": {"loss": None}}],
        [{"step": 0, "loss": 1.0, "word_accuracy": 0.5}],
    ],
    ids=[
        "one step",
        "many steps",
        "a loss that was no number",
        "an evaluation",
        "nothing of it shown",
        "a held-out loss",
        "a held-out loss that was no number",
        "an objective without accuracy within the batch",
    ],
)
def test_a_log_becomes_one_picture(tmp_path, lines):
    draw_curves(lines, tmp_path / "curves.png", "a run")
    with Image.open(tmp_path / "curves.png") as picture:
        picture.load()
        assert (picture.format, picture.size) == ("PNG", (1430, 374))


def test_a_run_leaves_its_curves(tiny_run, tmp_path):
    draw_curves(read_log(tiny_run.folder), tmp_path / "again.png", "tiny")
    assert (tmp_path / "again.png").read_bytes() == (tiny_run.folder / "curves.png").read_bytes()


def test_the_page_gets_the_losses_averaged_and_the_shares_in_percent():
    lines = [line(step, loss=float(step)) for step in range(300)]
    lines += [{"step": step, "evaluation": {"loss": step / 10, "zero_shot/top1": 0.25}} for step in (149, 299)]
    losses, shares = curve_blocks(lines)
    assert isinstance(losses, Chart)
    assert isinstance(shares, Chart)
    training, held_out = losses.lines
    assert (len(training.x), training.x[:2], training.y[:2]) == (100, [3, 6], [1, 4])
    assert (held_out.x, held_out.y) == ([150, 300], [14.9, 29.9])
    assert shares.lines[0].y == [25, 25]


def test_advice_stands_above_the_curves():
    first, *_ = curve_blocks([line(0)], "Train for fewer steps.")
    assert first == Paragraph(text="Train for fewer steps.")


def test_a_log_without_a_finite_loss_gives_no_chart():
    assert curve_blocks([line(0, None)]) == []


def test_the_report_of_a_run_shows_its_curves(tiny_run):
    page = (tiny_run.folder / "report" / "report.html").read_text()
    assert "<h2>Training</h2>" in page
    assert "held-out pairs" in page[page.index("<h2>Training</h2>") :]
