import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, TimmConfig, VisionTransformerConfig
from lexel.architectures.cost import image_operations, text_operations
from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.training.metering.work import Work, WorkCounter, caption_lengths

END = 29


def small_clip() -> CLIP:
    image = VisionTransformerConfig(image_size=32, patch_size=8, width=24, depth=2, heads=2)
    text = TextTransformerConfig(context_length=16, vocabulary_size=30, end_of_text=END, width=24, depth=2, heads=2)
    return CLIP(CLIPConfig(embedding=12, image=image, text=text)).train()


def batch_of(lengths: list[int], side: int = 32) -> Batch:
    """A picture and a caption of each of these lengths."""
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in zip(ids, lengths, strict=True):
        row[: length - 1] = 3
        row[length - 1] = END
    numbers = torch.arange(len(lengths))
    pixels = torch.zeros(len(lengths), 3, side, side, dtype=torch.uint8)
    keys = tuple(map(str, range(len(lengths))))
    return Batch(pixels, ids, numbers, numbers, numbers, places=numbers, keys=keys, bad=())


def flops_of(clip: CLIP, batch: Batch, patch_dropout: float = 0.0) -> int | None:
    return WorkCounter(clip).count(batch, patch_dropout).flops


def by_hand(
    clip: CLIP, lengths: list[int], side: int = 32, patch_dropout: float = 0.0, image: int = 3, text: int = 3
) -> int:
    one = image_operations(clip.config, side, patch_dropout)
    captions = [text_operations(clip.config, length) for length in lengths]
    assert one is not None
    return image * len(lengths) * one + text * sum(length for length in captions if length is not None)


@given(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5))
def test_a_caption_is_as_long_as_the_first_end_of_text_says(rows):
    expected = [row.index(4) + 1 if 4 in row else 6 for row in rows]
    assert caption_lengths(torch.tensor(rows), end_of_text=4) == expected


@given(st.lists(st.integers(2, 16), min_size=1, max_size=8))
def test_a_step_costs_three_forward_passes_on_the_real_tokens(lengths):
    clip = small_clip()
    assert WorkCounter(clip).count(batch_of(lengths), 0.0) == Work(sum(lengths), by_hand(clip, lengths))


@pytest.mark.parametrize("side", [16, 64])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_step_costs_what_its_pictures_cost_at_their_size_and_patches(side, dropout):
    clip = small_clip()
    assert flops_of(clip, batch_of([5, 7], side), dropout) == by_hand(clip, [5, 7], side, dropout)
    assert by_hand(clip, [5, 7], side, 0.5) < by_hand(clip, [5, 7], side, 0.0)


def test_a_frozen_tower_costs_its_forward_pass_only():
    clip = small_clip()
    clip.image.requires_grad_(False)
    assert flops_of(clip, batch_of([4, 6])) == by_hand(clip, [4, 6], image=1)


def test_what_was_embedded_before_costs_nothing():
    clip, batch = small_clip(), batch_of([4, 6])
    without_pictures = Batch(**{name: getattr(batch, name) for name in batch.__slots__} | {"pixels": None})
    without_texts = Batch(**{name: getattr(batch, name) for name in batch.__slots__} | {"ids": None})
    assert flops_of(clip, without_pictures) == by_hand(clip, [4, 6], image=0)
    assert WorkCounter(clip).count(without_texts, 0.0) == Work(None, by_hand(clip, [4, 6], text=0))


def test_a_tower_of_another_library_leaves_only_the_operations_unknown():
    clip = small_clip()
    clip.config = clip.config.model_copy(update={"image": TimmConfig(model="eva", image_size=32)})
    assert WorkCounter(clip).count(batch_of([4, 6]), 0.0) == Work(10, None)
