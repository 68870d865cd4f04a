import pytest
import torch
from torch import nn

from lexel.errors import UsageError
from lexel.models.outside import drawing_from, fill_buffers, is_on_meta


class Computed(nn.Module):
    """As a library's module may be: with positions that it computes, and a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positions", torch.arange(4), persistent=False)
        self.register_buffer("stored", torch.zeros(2))
        self.weight = nn.Parameter(torch.zeros(3))


def on_meta() -> Computed:
    with torch.device("meta"):
        return Computed()


def test_computed_buffers_get_their_values_and_the_rest_stays_on_meta() -> None:
    module = on_meta()
    fill_buffers(module, lambda part: part.positions.copy_(torch.arange(4)), "timm")
    assert module.positions.tolist() == [0, 1, 2, 3]
    assert module.weight.is_meta
    assert module.stored.is_meta


def test_a_library_that_leaves_a_buffer_out_is_refused_instead_of_being_silently_wrong() -> None:
    with pytest.raises(UsageError, match=r"version of timm is too old: it leaves positions unset"):
        fill_buffers(on_meta(), lambda part: part.positions[1:].copy_(torch.arange(3)), "timm")


def test_what_is_drawn_follows_from_the_seed_and_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    draws = []
    for seed in (1, 1, 2):
        with torch.device("meta"), drawing_from(seed):
            draws.append(torch.randn(3).tolist())
    assert draws[0] == draws[1] != draws[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_the_device_that_modules_are_built_on_is_known() -> None:
    assert not is_on_meta()
    with torch.device("meta"):
        assert is_on_meta()
