import math

import pytest
import torch

from lexel.errors import LexelError
from lexel.models.clip import CLIP, init_weights
from lexel.training.optimizer import Optimizer, OptimizerSettings, decayed, undecayed
from lexel.training.schedule import Schedule
from tiny import tiny_recipe


def make_clip(**image: object) -> CLIP:
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-xs", "image": image}).architecture())
    init_weights(clip, 0)
    return clip


def make_optimizer(clip: CLIP, **settings: float) -> Optimizer:
    return Optimizer(clip, OptimizerSettings(**settings), Schedule(warmup=0), steps=10)


def set_gradients(clip: CLIP, value: float) -> None:
    for parameter in clip.parameters():
        parameter.grad = torch.full_like(parameter, value)


def test_norms_biases_embeddings_and_scale_do_not_decay():
    clip = make_clip(pooling="class")
    names = {parameter: name for name, parameter in clip.named_parameters()}
    free = {names[parameter] for parameter in undecayed(clip)}
    for name in (
        "logit_scale",
        "text.token_embedding.weight",
        "text.position_embedding",
        "image.position_embedding",
        "image.class_embedding",
    ):
        assert name in free
    assert {name for name, parameter in clip.named_parameters() if parameter.ndim < 2} <= free
    assert all(names[parameter].endswith("weight") for parameter in decayed(clip))
    assert len(decayed(clip)) + len(undecayed(clip)) == len(names)


def test_a_step_follows_adamw_with_the_schedule():
    clip = make_clip()
    reference = make_clip()
    optimizer = make_optimizer(clip, learning_rate=0.01, weight_decay=0.2, clip_norm=1e9)
    plain = torch.optim.AdamW(
        [{"params": decayed(reference), "weight_decay": 0.2}, {"params": undecayed(reference), "weight_decay": 0}],
        lr=0.01 * Schedule(warmup=0).factor(3, 10), betas=(0.9, 0.98), eps=1e-6,
    )  # fmt: skip
    for model in (clip, reference):
        set_gradients(model, 0.1)
    optimizer.step(3, 1.0, ["a"])
    plain.step()
    for ours, theirs in zip(clip.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_large_gradients_are_clipped_to_the_norm():
    clip = make_clip()
    set_gradients(clip, 1.0)
    result = make_optimizer(clip, clip_norm=0.5).step(0, 1.0, ["a"])
    assert result.gradient_norm == pytest.approx(math.sqrt(sum(p.numel() for p in clip.parameters())), rel=1e-4)


@pytest.mark.parametrize(("loss", "gradient"), [(math.nan, 0.1), (math.inf, 0.1), (1.0, math.nan), (1.0, math.inf)])
def test_a_step_that_is_not_finite_changes_nothing(loss, gradient):
    clip = make_clip()
    before = {name: value.clone() for name, value in clip.state_dict().items()}
    optimizer = make_optimizer(clip)
    set_gradients(clip, gradient)
    assert optimizer.step(0, loss, ["a"]).skipped
    assert all(torch.equal(before[name], value) for name, value in clip.state_dict().items())
    assert not optimizer.adamw.state


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
