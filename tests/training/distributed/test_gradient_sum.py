"""The sum of gradients over three processes, beside the gradients of one that has all rows."""

from typing import Any

import pytest
import torch
from processes import together
from tiny import tiny_recipe
from torch import Tensor

from lexel.models.clip import CLIP, init_weights
from lexel.training.distributed import gradient_sum
from lexel.training.distributed.gradient_sum import GradientSum
from lexel.training.distributed.world import World

SHARES = (range(0, 3), range(3, 3), range(3, 7))  # the second process has no rows
ROWS = 7
BUCKETS = (4000, 1 << 30)  # bytes: many, and one


def make() -> CLIP:
    clip = CLIP(tiny_recipe().architecture(60, 59)).double()
    init_weights(clip, 0)
    clip.text.final_norm.weight.requires_grad_(False)
    return clip


def backward(clip: CLIP, rows: range) -> None:
    """Of a loss that is a sum over rows; the projections are used by odd rows only."""
    random = torch.Generator().manual_seed(1)
    size = clip.config.image.image_size
    pixels = torch.randn(ROWS, 3, size, size, generator=random).double()
    ids = torch.randint(1, 59, (ROWS, 9), generator=random)
    weights = torch.randn(ROWS, 2, clip.config.embedding, generator=random).double()
    for row in rows:
        images, texts = clip(pixels[row : row + 1], ids[row : row + 1])
        (weights[row] * torch.cat([images, texts])).sum().backward()


def gradients(clip: CLIP) -> dict[str, Tensor | None]:
    return {name: parameter.grad for name, parameter in clip.named_parameters()}


def summed(bucket: int) -> list[dict[str, Tensor | None]]:
    """Of two steps, the second with other rows."""
    gradient_sum.BUCKET_BYTES = bucket
    found = []
    with World.join("cpu") as world:
        clip = make()
        total = GradientSum([clip.text, clip.image])
        for step in range(2):
            clip.zero_grad()
            rows = SHARES[(world.rank + step) % 3]
            backward(clip, rows[:-1])
            with total.overlapping():
                backward(clip, rows[-1:])
            total.finish()
            found.append(gradients(clip))
    return found


def two_last_passes() -> str:
    gradient_sum.BUCKET_BYTES = 1
    with World.join("cpu"):
        clip = make()
        try:
            with GradientSum([clip.text, clip.image]).overlapping():
                backward(clip, range(2))
        except RuntimeError as error:
            return str(error)
    return "went on"


@pytest.fixture(scope="module")
def found() -> list[list[Any]]:
    return together(3, [*((summed, (bucket,)) for bucket in BUCKETS), (two_last_passes, ())])


@pytest.mark.parametrize("job", range(len(BUCKETS)))
def test_every_process_ends_with_the_gradients_of_all_rows(found, job):
    alone = make()
    backward(alone, range(ROWS))
    expected = gradients(alone)
    for steps in found[job]:
        for after in steps:
            assert after["logit_scale"] is None
            assert after["text.final_norm.weight"] is None
            for name, gradient in expected.items():
                if gradient is not None:
                    torch.testing.assert_close(after[name], gradient, rtol=1e-9, atol=1e-12, msg=name)


def test_a_gradient_that_comes_after_its_sum_is_no_silent_error(found):
    assert all("more than one last backward pass" in said for said in found[-1])
