"""Runs whose losses are written down: what changes training without meaning to, changes these."""

import pytest
from tiny import tiny_recipe

from lexel.training.run.log import read_log
from lexel.training.trainer import train

# Of eight steps in float32. Other processors round otherwise, which eight steps make no larger than this.
TOLERANCE = 2e-3
GOLDEN: dict[str, tuple[tuple[str, ...], list[float], list[float]]] = {
    "softmax": (
        (),
        [3.0573, 2.9070, 2.9969, 2.8161, 2.5930, 2.5603, 2.5237, 2.6668],
        [4.9183, 5.0280, 4.2460, 2.7724, 2.6516, 2.3080, 2.4741, 2.6195],
    ),
    "sigmoid, in parts": (
        ("loss.kind=sigmoid", "micro_batch=4"),
        [4.2713, 4.4860, 4.7803, 3.8993, 4.0210, 3.6276, 3.5840, 3.8656],
        [6.4423, 6.9854, 6.2202, 5.9825, 3.1280, 2.3611, 2.2823, 2.5641],
    ),
    "Muon, ramp, smoothing": (
        ("optimizer.kind=muon", "ramp.size_from=0.5", "loss.label_smoothing=0.1"),
        [3.0512, 2.8836, 3.0097, 2.8454, 2.6859, 2.5980, 2.6369, 2.7531],
        [4.8139, 4.5348, 4.2375, 2.9221, 2.7842, 2.3389, 2.5676, 3.0559],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_run_s_losses_and_gradients_are_those_written_down(name, tmp_path):
    changes, losses, norms = GOLDEN[name]
    run = train(tiny_recipe(changes), tmp_path / "run")
    steps = [line for line in read_log(run.folder) if "loss" in line]
    assert [step["loss"] for step in steps] == pytest.approx(losses, rel=TOLERANCE)
    assert [step["gradient_norm"] for step in steps] == pytest.approx(norms, rel=10 * TOLERANCE)
