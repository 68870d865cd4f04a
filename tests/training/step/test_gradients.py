import math
import re

import pytest
import torch
from made_up import batch, clip_of, furthest, gradients_for, gradients_of, plain, recipe
from tiny_towers import KINDS, bert

from lexel.errors import LexelError, UsageError
from lexel.models.clip import CLIP
from lexel.training.inputs.starting_weights import StartingWeights, first_clip
from lexel.training.step.seeds import draw_noise


def limit_rows(clip: CLIP, most: int, error: Exception) -> None:
    """Let the image tower fail with `error` when it gets more than `most` rows and has to keep their activations."""

    def refuse(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > most and torch.is_grad_enabled():
            raise error

    clip.image.register_forward_pre_hook(refuse)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "python"])
@pytest.mark.parametrize("first", [12, 7])
def test_when_memory_runs_out_the_parts_are_halved_and_the_gradient_is_the_same(capsys, error, first):
    clip, samples = clip_of(KINDS["clip"]), batch(12)
    _, expected = plain(clip, "softmax", samples)
    clip.zero_grad(set_to_none=True)
    gradients = gradients_for(clip, recipe(12, micro_batch=first))
    limit_rows(clip, 3, error)
    gradients(samples, 0)
    assert furthest(gradients_of(clip), expected) < 1e-12
    assert gradients.micro_batch == (3 if first == 12 else 2)
    said = capsys.readouterr().err
    assert f"Not enough memory: from now on {gradients.micro_batch} pairs go through the towers at once" in said
    gradients(samples, 1)
    assert "Not enough" not in capsys.readouterr().err


def test_when_memory_runs_out_for_a_single_pair_the_run_ends_with_a_reason():
    clip = clip_of(KINDS["clip"])
    gradients = gradients_for(clip, recipe(4))
    limit_rows(clip, 0, MemoryError())
    with pytest.raises(LexelError, match="not enough memory for 1 pair at once on cpu"):
        gradients(batch(4), 0)


def test_a_batch_with_batch_norm_is_not_halved():
    clip = clip_of(KINDS["resnet"])
    gradients = gradients_for(clip, recipe(4))
    limit_rows(clip, 2, MemoryError())
    with pytest.raises(LexelError, match="not enough memory for 4 pairs"):
        gradients(batch(4), 0)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            KINDS["resnet"],
            "engine.checkpoint_activations: the image tower (resnet) keeps its activations all the same.\n",
        ),
        (bert(), "engine.checkpoint_activations: the text tower (huggingface) keeps its activations all the same.\n"),
        (KINDS["clip"], ""),
    ],
)
def test_a_tower_that_cannot_compute_its_activations_again_is_named(capsys, config, said):
    pytest.importorskip("transformers")
    clip, again = clip_of(config), {"checkpoint_activations": True}
    gradients_for(clip, recipe(4, engine=again))
    assert capsys.readouterr().err == said
    gradients_for(clip, recipe(4))
    clip.requires_grad_(False)
    gradients_for(clip.train(), recipe(4, engine=again))  # frozen: nothing is kept anyway
    assert capsys.readouterr().err == ""


def test_another_error_is_not_taken_for_a_lack_of_memory():
    clip = clip_of(KINDS["clip"])
    gradients = gradients_for(clip, recipe(4))
    limit_rows(clip, 2, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        gradients(batch(4), 0)


def test_recomputed_activations_change_nothing():
    clip, samples = clip_of(KINDS["clip"]), batch(6)
    _, expected = plain(clip, "softmax", samples)
    clip.zero_grad(set_to_none=True)
    engine = {"checkpoint_activations": True}
    gradients_for(clip, recipe(6, engine=engine, micro_batch=4))(samples, 0)
    assert clip.image.checkpoint_activations
    assert clip.text.checkpoint_activations
    assert furthest(gradients_of(clip), expected) < 1e-12


def test_noise_belongs_to_the_place_in_the_whole_batch():
    whole = draw_noise(1, 7, 10, 5, torch.arange(10))
    assert torch.equal(draw_noise(1, 7, 10, 5, torch.tensor([2, 9])), whole[[2, 9]])
    assert 0 <= whole.min() <= whole.max() < 1
    assert not torch.equal(draw_noise(1, 8, 10, 5, torch.arange(10)), whole)
    assert not torch.equal(draw_noise(2, 7, 10, 5, torch.arange(10)), whole)


def test_the_sigmoid_loss_brings_a_bias_that_starts_where_right_and_wrong_answers_weigh_alike():
    asked = recipe(1024, loss={"kind": "sigmoid"}, model={"architecture": "lexel-xs"})
    clip = first_clip(StartingWeights(), StartingWeights().architecture(asked), asked, "cpu")
    assert clip.logit_bias is not None
    assert clip.logit_bias.item() == pytest.approx(-math.log(1023))
    odds = torch.sigmoid(clip.logit_bias.detach()).item()
    assert odds / (1 - odds) == pytest.approx(1 / 1023, rel=1e-5)
    plain_recipe = recipe(1024, model={"architecture": "lexel-xs"})
    assert (
        first_clip(StartingWeights(), StartingWeights().architecture(plain_recipe), plain_recipe, "cpu").logit_bias
        is None
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"micro_batch": 0}, 'micro_batch: must be a number of pairs, or "auto", not 0'),
        ({"micro_batch": "some"}, "micro_batch: must be a number of pairs, or \"auto\", not 'some'"),
        ({"engine": {"compile": "maybe"}}, "engine.compile: must be true, false or \"auto\", not 'maybe'"),
    ],
)
def test_what_a_step_cannot_be_made_of_is_refused(fields, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        recipe(8, **fields)


def test_what_changes_speed_only_does_not_decide_the_weights():
    usual = recipe(8).decisive()
    assert recipe(8, micro_batch=2).decisive() == usual
    assert recipe(8, engine={"checkpoint_activations": True}).decisive() == usual
    assert recipe(8, engine={"compile": True}).decisive() != usual
    assert recipe(8, loss={"kind": "sigmoid"}).decisive() != usual
