import math

import pytest
import torch
from tiny import tiny_recipe

from lexel.errors import LexelError
from lexel.models.clip import CLIP, init_weights
from lexel.training.optimization.average import Average
from lexel.training.optimization.optimizer import Optimizer, OptimizerSettings
from lexel.training.optimization.schedule import Schedule


def make_clip(**image: object) -> CLIP:
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-xs", "image": image}).architecture())
    init_weights(clip, 0)
    return clip


def make_optimizer(clip: CLIP, average: Average | None = None, **settings: object) -> Optimizer:
    return Optimizer(clip, OptimizerSettings(**settings), Schedule(warmup=0), steps=10, average=average)


def set_gradients(clip: CLIP, value: float) -> None:
    for parameter in clip.parameters():
        parameter.grad = torch.full_like(parameter, value) if parameter.requires_grad else None


def draw_gradients(clip: CLIP, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in clip.parameters():
        parameter.grad = 0.01 * torch.randn(parameter.shape, generator=generator)


def snapshot_of(clip: CLIP) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in clip.state_dict().items()}


def same_bits(before: dict[str, torch.Tensor], clip: CLIP) -> bool:
    return all(torch.equal(before[name], value) for name, value in clip.state_dict().items())


def is_matrix(name: str, parameter: torch.nn.Parameter) -> bool:
    return parameter.ndim > 1 and "embedding" not in name


@pytest.mark.parametrize("architecture", ["lexel-xs", "lexel-s"])
def test_steps_are_adamws_with_the_schedule_to_the_bit(architecture):
    clip, reference = (CLIP(tiny_recipe(model={"architecture": architecture}).architecture()) for _ in range(2))
    for model in (clip, reference):
        init_weights(model, 0)
    optimizer = make_optimizer(clip, learning_rate=0.01, weight_decay=0.2, clip_norm=0.5)
    named = dict(reference.named_parameters())
    plain = torch.optim.AdamW(
        [
            {"params": [parameter for name, parameter in named.items() if is_matrix(name, parameter)]},
            {"params": [p for name, p in named.items() if not is_matrix(name, p)], "weight_decay": 0},
        ],
        weight_decay=0.2, betas=(0.9, 0.98), eps=1e-6, fused=True,
    )  # fmt: skip
    for step in range(3):
        for model in (clip, reference):
            draw_gradients(model, step)
        optimizer.step(step, 1.0, ["a"])
        torch.nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
        for group in plain.param_groups:
            group["lr"] = 0.01 * Schedule(warmup=0).factor(step, 10)
        plain.step()
    assert same_bits(snapshot_of(reference), clip)


def test_the_rate_falls_towards_the_bottom_of_each_tower():
    clip = make_clip(depth=2)
    before = snapshot_of(clip)
    set_gradients(clip, 0.1)
    make_optimizer(clip, layer_decay=0.5, weight_decay=0, learning_rate=0.01).step(0, 1.0, ["a"])
    moved = {name: (value - before[name]).abs().mean().item() for name, value in clip.state_dict().items()}
    # AdamW's first step is as long as its rate, whatever the gradient.
    assert moved["image.projection.weight"] == pytest.approx(0.01, rel=1e-2)
    assert moved["image.blocks.1.mlp.expand.weight"] == pytest.approx(0.005, rel=1e-2)
    assert moved["image.blocks.0.attention.qkv.bias"] == pytest.approx(0.0025, rel=1e-2)
    assert moved["image.position_embedding"] == pytest.approx(0.00125, rel=1e-2)


def test_muon_moves_the_matrices_of_the_blocks_and_adamw_the_rest():
    clip, by_adamw = make_clip(), make_clip()
    optimizer = make_optimizer(clip, kind="muon")
    for model, its in ((clip, optimizer), (by_adamw, make_optimizer(by_adamw))):
        draw_gradients(model, 0)
        its.step(0, 1.0, ["a"])
    expected = snapshot_of(by_adamw)
    different = {name for name, value in clip.named_parameters() if not torch.equal(expected[name], value)}
    matrices = {name for name in expected if ".blocks." in name and name.endswith("weight") and "norm" not in name}
    assert different == matrices
    state = optimizer.state_tensors()
    assert {name for name in state if name.startswith("muon.")} == {f"muon.{name}.momentum" for name in matrices}
    assert not any(name.startswith(f"adamw.{matrix}.") for name in state for matrix in matrices)


def test_what_is_frozen_stays_and_has_no_state():
    clip = make_clip()
    clip.image.requires_grad_(False)
    before = snapshot_of(clip)
    optimizer = make_optimizer(clip, average=Average(clip, 0.9))
    set_gradients(clip, 0.1)
    optimizer.step(0, 1.0, ["a"])
    after = clip.state_dict()
    assert {name for name in after if not torch.equal(before[name], after[name])} == {
        name for name, parameter in clip.named_parameters() if parameter.requires_grad
    }
    assert not any("image." in name for name in optimizer.state_tensors())


def test_parameters_that_no_gradient_reaches_are_left_alone():
    clip = make_clip()
    before = snapshot_of(clip)
    optimizer = make_optimizer(clip, weight_decay=1.0)
    set_gradients(clip, 0.1)
    clip.text.projection.weight.grad = None
    optimizer.step(0, 1.0, ["a"])
    assert torch.equal(before["text.projection.weight"], clip.text.projection.weight)
    assert not any("text.projection" in name for name in optimizer.state_tensors())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_restored_state_takes_the_same_next_steps(kind):
    """A ResNet, whose kernels lie channels-last."""
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-s"}).architecture())
    init_weights(clip, 0)
    optimizer = make_optimizer(clip, kind=kind, average=Average(clip, 0.9), layer_decay=0.9)
    for step in range(2):
        draw_gradients(clip, step)
        optimizer.step(step, 1.0, ["a"])
    kept = {name: value.clone().contiguous() for name, value in optimizer.state_tensors().items()}
    other = CLIP(clip.config)
    other.load_state_dict(clip.state_dict())
    restored = make_optimizer(other, kind=kind, average=Average(other, 0.9), layer_decay=0.9)
    restored.load_state_tensors(kept)
    for model, its in ((clip, optimizer), (other, restored)):
        draw_gradients(model, 2)
        its.step(2, 1.0, ["a"])
    assert same_bits(snapshot_of(clip), other)
    with optimizer.averaged(), restored.averaged():
        assert same_bits(snapshot_of(clip), other)
    moments = [state["exp_avg"] for state in restored.adamw.state.values() if state["exp_avg"].ndim == 4]
    assert moments
    assert all(moment.is_contiguous(memory_format=torch.channels_last) for moment in moments)


def test_large_gradients_are_clipped_to_the_norm():
    clip = make_clip()
    set_gradients(clip, 1.0)
    result = make_optimizer(clip, clip_norm=0.5).step(0, 1.0, ["a"])
    assert result.gradient_norm == pytest.approx(math.sqrt(sum(p.numel() for p in clip.parameters())), rel=1e-4)


@pytest.mark.parametrize(("loss", "gradient"), [(math.nan, 0.1), (math.inf, 0.1), (1.0, math.nan), (1.0, math.inf)])
def test_a_step_that_is_not_finite_changes_nothing(loss, gradient):
    clip = make_clip()
    before = snapshot_of(clip)
    average = Average(clip, 0.9)
    optimizer = make_optimizer(clip, average=average)
    set_gradients(clip, gradient)
    assert optimizer.step(0, loss, ["a"]).skipped
    assert same_bits(before, clip)
    assert not optimizer.adamw.state
    assert average.updates == 0
    assert all(parameter.grad is None for parameter in clip.parameters())


def test_a_skipped_step_puts_batchnorms_statistics_back():
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-s"}).architecture())
    init_weights(clip, 0)
    before = snapshot_of(clip)
    optimizer = make_optimizer(clip)
    clip.image(torch.full((2, 3, 64, 64), math.nan))
    set_gradients(clip, 0.1)
    assert optimizer.step(0, math.nan, ["a"]).skipped
    assert same_bits(before, clip)


def test_a_few_bad_steps_in_a_row_stop_the_run_and_name_the_batch():
    clip = make_clip()
    optimizer = make_optimizer(clip, patience=3)
    for step in range(2):
        optimizer.step(step, math.nan, ["x"])
    set_gradients(clip, 0.1)
    optimizer.step(2, 1.0, ["fine"])
    for step in (3, 4):
        optimizer.step(step, math.nan, ["x"])
    with pytest.raises(LexelError, match=r"3 steps in a row, last at step 5 with one\.jpg, two\.jpg"):
        optimizer.step(5, math.nan, ["one.jpg", "two.jpg"])


def test_the_logit_scale_never_exceeds_100():
    clip = make_clip()
    with torch.no_grad():
        clip.logit_scale.fill_(math.log(99.9))
    optimizer = make_optimizer(clip, learning_rate=1.0)
    set_gradients(clip, -1.0)
    optimizer.step(0, 1.0, ["a"])
    assert clip.logit_scale.exp().item() == pytest.approx(100)
