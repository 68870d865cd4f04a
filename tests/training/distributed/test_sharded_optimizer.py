"""Steps of a model whose towers are spread over two processes, beside those of the whole model in one."""

from pathlib import Path

import pytest
import sharded
import torch
from processes import free_port, in_each

from lexel.training.snapshots import newest_snapshot


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have left what came out."""
    folder = tmp_path_factory.mktemp("spread")
    in_each(sharded.work, 2, free_port(), folder)
    return folder


@pytest.mark.parametrize("kind", sharded.KINDS)
def test_a_spread_model_takes_the_steps_of_the_whole_one(spread, kind):
    found = torch.load(spread / f"{kind}.pt", weights_only=True)
    clip, optimizer = sharded.make(spread=False, seed=0, kind=kind)
    norms = [sharded.take_step(clip, optimizer, step) for step in range(sharded.STEPS)]
    assert found["norms"] == pytest.approx(norms, rel=1e-5)

    # Its snapshot is of the whole model, and one process goes on from it.
    alone, alone_optimizer = sharded.make(spread=False, seed=1, kind=kind)
    snapshot = newest_snapshot(spread / kind)
    assert snapshot is not None
    snapshot.restore(alone, alone_optimizer)

    for model, its in ((clip, optimizer), (alone, alone_optimizer)):
        sharded.take_step(model, its, sharded.STEPS)
        for name, value in sharded.weights(model).items():
            torch.testing.assert_close(found["weights"][name], value, rtol=1e-4, atol=1e-6, msg=name)
        with its.averaged():
            for name, value in sharded.weights(model).items():
                torch.testing.assert_close(found["averaged"][name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", sharded.KINDS)
def test_a_spread_model_goes_on_from_its_snapshot_to_the_same_bits(spread, kind):
    assert torch.load(spread / f"{kind}.pt", weights_only=True)["resumed"]
