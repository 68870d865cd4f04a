import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import batch, clip_of, furthest, gradients_for, gradients_of, plain, recipe, stepped
from tiny_towers import KINDS, image, text

from lexel.architectures.config import CLIPConfig, HuggingFaceTextConfig
from lexel.models.towers import choose_patches
from lexel.training.step.seeds import draw_noise, seed_of

DROPPING = CLIPConfig(embedding=24, image=image(patch_dropout=0.5), text=text())


@settings(deadline=None, max_examples=12)
@given(rows=st.integers(1, 9), micro_batch=st.integers(1, 9), seed=st.integers(0, 99))
def test_any_micro_batch_gives_the_gradient_of_the_whole_batch(rows, micro_batch, seed):
    clip, samples = clip_of(KINDS["clip"]), batch(rows, seed)
    loss, expected = plain(clip, "softmax", samples)
    found, gradients = stepped(clip, recipe(max(2, rows), micro_batch=micro_batch), samples)
    assert found == pytest.approx(loss, rel=1e-12)
    assert furthest(gradients, expected) < 1e-12


@pytest.mark.parametrize("kind", ["siglip", "coca", "stem", "convnext"])
def test_it_does_with_every_tower_that_has_no_batch_norm(kind):
    clip, samples = clip_of(KINDS[kind]), batch(7)
    _, expected = plain(clip, "softmax", samples)
    _, gradients = stepped(clip, recipe(7, micro_batch=3), samples)
    assert furthest(gradients, expected) < 1e-12


@pytest.mark.parametrize("micro_batch", [1, 4, 10])
def test_the_sigmoid_loss_has_the_whole_gradient_of_scale_and_bias(micro_batch):
    clip, samples = clip_of(KINDS["siglip"]), batch(10)
    loss, expected = plain(clip, "sigmoid", samples)
    found, gradients = stepped(clip, recipe(10, micro_batch=micro_batch, loss={"kind": "sigmoid"}), samples)
    assert found == pytest.approx(loss, rel=1e-12)
    assert abs(expected["logit_bias"]) > 1e-3
    for name in ("logit_scale", "logit_bias"):
        torch.testing.assert_close(gradients[name], expected[name], rtol=1e-12, atol=0)
    assert furthest(gradients, expected) < 1e-12


@pytest.mark.parametrize("micro_batch", [1, 3, 8])
def test_the_same_patches_are_dropped_in_both_passes_whatever_the_micro_batch(micro_batch):
    clip, samples = clip_of(DROPPING), batch(8)
    kept = choose_patches(draw_noise(0, 3, 8, 16, samples.places), 0.5)
    _, expected = plain(clip, "softmax", samples, kept)
    _, gradients = stepped(clip, recipe(8, micro_batch=micro_batch), samples)
    assert furthest(gradients, expected) < 1e-12
    _, otherwise = stepped(clip, recipe(8, micro_batch=micro_batch), samples, step=4)
    assert furthest(otherwise, expected) > 1e-3


@pytest.mark.parametrize(("precision", "rounding"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_in_lower_precision_only_rounding_differs(precision, rounding):
    clip, samples = clip_of(KINDS["clip"], torch.float32), batch(12)
    _, whole = stepped(clip, recipe(12, precision=precision, micro_batch=12), samples)
    _, parts = stepped(clip, recipe(12, precision=precision, micro_batch=5), samples)
    assert furthest(parts, whole) < rounding


def test_dropout_of_another_librarys_tower_is_drawn_alike_in_both_passes():
    pytest.importorskip("transformers")
    model = {
        "model_type": "bert", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 64, "max_position_embeddings": 16, "hidden_dropout_prob": 0.3,
    }  # fmt: skip
    words = HuggingFaceTextConfig(model=model, context_length=16, vocabulary_size=300, end_of_text=2, pad_id=0)
    clip, samples = clip_of(CLIPConfig(embedding=24, image=image(), text=words)), batch(6)
    _, found = stepped(clip, recipe(6, micro_batch=3), samples)

    encode, rows = clip.encode_text, iter([0, 3])

    def encode_as_in_parts(ids: torch.Tensor) -> torch.Tensor:
        parts = []
        for part, first in zip(ids.split(3), rows, strict=True):
            torch.manual_seed(seed_of(0, 3, first))
            parts.append(encode(part))
        return torch.cat(parts)

    clip.encode_text = encode_as_in_parts  # pyright: ignore[reportAttributeAccessIssue]
    _, expected = plain(clip, "softmax", samples)
    assert furthest(found, expected) < 1e-12


def rows_seen(tower: torch.nn.Module) -> list[int]:
    seen: list[int] = []
    tower.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    return seen


def test_k_parts_take_2k_minus_1_passes_of_a_part_each_and_one_part_takes_one():
    clip, samples = clip_of(KINDS["clip"]), batch(12)
    whole = gradients_for(clip, recipe(12, micro_batch=12))
    parts = gradients_for(clip, recipe(12, micro_batch=5))
    images, texts = rows_seen(clip.image), rows_seen(clip.text)
    whole(samples, 0)
    assert images == texts == [12]
    parts(samples, 0)
    assert images == texts == [12, *[4] * 5]


def test_a_frozen_tower_is_asked_once_and_gets_no_gradient():
    clip, samples = clip_of(KINDS["clip"]), batch(9)
    clip.image.requires_grad_(False)
    gradients = gradients_for(clip.train(), recipe(9, micro_batch=3))
    images = rows_seen(clip.image)
    gradients(samples, 3)
    found = gradients_of(clip)
    assert images == [3, 3, 3]
    assert all(parameter.grad is None for parameter in clip.image.parameters())
    _, expected = plain(clip, "softmax", samples)
    assert furthest(found, expected) < 1e-12


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_batch_that_lost_nearly_all_its_pictures_is_cut_into_as_many_parts(rows):
    clip, samples = clip_of(KINDS["clip"]), batch(rows)
    _, expected = plain(clip, "softmax", samples)
    _, gradients = stepped(clip, recipe(16, micro_batch=4), samples)
    assert furthest(gradients, expected) < 1e-12
