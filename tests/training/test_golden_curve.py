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
        [3.0534, 2.9101, 2.9994, 2.8187, 2.5906, 2.5599, 2.5262, 2.6677],
        [4.9163, 5.0371, 4.2625, 2.7875, 2.6525, 2.3151, 2.4748, 2.6417],
    ),
    "sigmoid, in parts": (
        ("loss.kind=sigmoid", "micro_batch=4"),
        [4.2688, 4.4894, 4.7806, 3.8986, 4.0172, 3.6261, 3.5848, 3.8661],
        [6.4514, 7.0078, 6.2183, 5.8757, 3.1061, 2.3576, 2.2661, 2.5522],
    ),
    "Muon, ramp, smoothing": (
        ("optimizer.kind=muon", "ramp.size_from=0.5", "loss.label_smoothing=0.1"),
        [3.0415, 2.8816, 3.0060, 2.8445, 2.6797, 2.5997, 2.6298, 2.7501],
        [4.8002, 4.5527, 4.2313, 2.9680, 2.7841, 2.3548, 2.5765, 3.0482],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_run_s_losses_and_gradients_are_those_written_down(name, tmp_path):
    changes, losses, norms = GOLDEN[name]
    run = train(tiny_recipe(changes), tmp_path / "run")
    steps = [line for line in read_log(run.folder) if "loss" in line]
    assert [step["loss"] for step in steps] == pytest.approx(losses, rel=TOLERANCE)
    assert [step["gradient_norm"] for step in steps] == pytest.approx(norms, rel=10 * TOLERANCE)
