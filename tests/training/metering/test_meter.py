import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lexel.data.loader import Batch
from lexel.models.clip import CLIP
from lexel.models.config import CLIPConfig, TextTransformerConfig, TimmConfig, VisionTransformerConfig
from lexel.models.cost import image_operations, text_operations
from lexel.training.metering import meter
from lexel.training.metering.meter import Meter, caption_lengths, matmul_peak, peak_memory

END = 29
STATUS = Path("/proc/self/status")
PEAK = 1e12


@pytest.fixture(autouse=True)
def a_known_peak(monkeypatch):
    monkeypatch.setattr(meter, "matmul_peak", lambda device, precision: PEAK)


def small_clip(patch_dropout: float = 0.0) -> CLIP:
    image = VisionTransformerConfig(
        image_size=32, patch_size=8, width=24, depth=2, heads=2, patch_dropout=patch_dropout
    )
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


def by_hand(clip: CLIP, lengths: list[int], side: int = 32, image: int = 3, text: int = 3) -> int:
    of_images = len(lengths) * image_operations(clip.config, side, clip.image.patch_dropout)
    return image * of_images + text * sum(text_operations(clip.config, length) for length in lengths)


@given(st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5))
def test_a_caption_is_as_long_as_the_first_end_of_text_says(rows):
    expected = [row.index(4) + 1 if 4 in row else 6 for row in rows]
    assert caption_lengths(torch.tensor(rows), end_of_text=4) == expected


@given(st.lists(st.integers(2, 16), min_size=1, max_size=8))
def test_a_step_costs_three_forward_passes_on_the_real_tokens(lengths):
    clip = small_clip()
    assert Meter(clip, torch.float32).flops(batch_of(lengths)) == by_hand(clip, lengths)


@pytest.mark.parametrize("side", [16, 64])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_step_costs_what_its_pictures_cost_at_their_size_and_patches(side, share):
    clip = small_clip(share)
    assert Meter(clip, torch.float32).flops(batch_of([5, 7], side)) == by_hand(clip, [5, 7], side)


def test_a_ramp_of_the_patches_left_out_is_followed():
    clip = small_clip(0.5)
    measured = Meter(clip, torch.float32)
    clip.image.patch_dropout = 0.25
    assert measured.flops(batch_of([5])) == by_hand(clip, [5])


def test_a_frozen_tower_costs_its_forward_pass_only():
    clip = small_clip()
    clip.image.requires_grad_(False)
    assert Meter(clip, torch.float32).flops(batch_of([4, 6])) == by_hand(clip, [4, 6], image=1)


def test_what_was_embedded_before_costs_nothing():
    clip, batch = small_clip(), batch_of([4, 6])
    without_pictures = Batch(**{name: getattr(batch, name) for name in batch.__slots__} | {"pixels": None})
    without_texts = Batch(**{name: getattr(batch, name) for name in batch.__slots__} | {"ids": None})
    measured = Meter(clip, torch.float32)
    assert measured.flops(without_pictures) == by_hand(clip, [4, 6], image=0)
    assert measured.flops(without_texts) == by_hand(clip, [4, 6], text=0)
    assert measured.use(without_texts, 1.0).tokens_per_second is None


def test_a_tower_of_another_library_leaves_only_the_operations_unknown():
    clip = small_clip()
    clip.config = clip.config.model_copy(update={"image": TimmConfig(model="eva", image_size=32)})
    use = Meter(clip, torch.float32).use(batch_of([4, 6]), seconds=2.0)
    assert (use.model_flops_per_second, use.mfu) == (None, None)
    assert (use.pairs_per_second, use.tokens_per_second) == (1, 5)


@pytest.mark.parametrize("world", [1, 4])
def test_rates_are_of_all_processes_and_the_share_is_of_all_their_peaks(world):
    clip, batch = small_clip(), batch_of([4, 8])
    use = Meter(clip, torch.float32, world).use(batch, seconds=0.5)
    assert use.pairs_per_second == world * 4
    assert use.tokens_per_second == world * 24
    assert use.model_flops_per_second == world * by_hand(clip, [4, 8]) / 0.5
    assert use.mfu == pytest.approx(by_hand(clip, [4, 8]) / 0.5 / PEAK)


def test_the_head_of_a_log_says_what_the_share_is_of():
    facts = Meter(small_clip(), torch.bfloat16, world=2).facts()
    assert facts == {
        "device": "CPU",
        "precision": "bfloat16",
        "processes": 2,
        "threads": torch.get_num_threads(),
        "matmul_flops_per_second": 2 * PEAK,
    }


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_peak_is_measured_in_well_under_a_second_and_draws_no_random_numbers(precision):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    start = time.perf_counter()
    peak = matmul_peak(torch.device("cpu"), precision)
    assert time.perf_counter() - start < 3  # a quarter of one, on a machine that has nothing else to do
    assert torch.rand(1) == expected
    assert 1e8 < peak < 1e15


def test_no_product_is_much_quicker_than_the_peak():
    peak, matrix = matmul_peak(torch.device("cpu"), torch.float32), torch.randn(512, 512)
    start = time.perf_counter()
    for _ in range(20):
        torch.mm(matrix, matrix)
    assert 20 * 2 * 512**3 / (time.perf_counter() - start) < 3 * peak


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell")
def test_the_memory_is_the_most_that_the_system_saw():
    found = peak_memory(torch.device("cpu"))
    kilobytes = int(STATUS.read_text().partition("VmHWM:")[2].split()[0])
    assert found == pytest.approx(1024 * kilobytes, rel=0.01)
