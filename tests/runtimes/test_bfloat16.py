import copy

import numpy as np
import pytest
import torch
from tiny_towers import KINDS, bert, build, ids, pixels, unit

from lexel.architectures.zoo import architecture
from lexel.models.clip import CLIP, init_weights
from lexel.runtimes.bfloat16 import PackedLinear, can_pack_linears, has_fast_bfloat16
from lexel.runtimes.torch import TorchRuntime


@pytest.fixture(params=KINDS)
def clip(request):
    return build(KINDS[request.param])


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """In float64: one minus a cosine near one is below the resolution of float32."""
    return (unit(ours.astype(np.float64)) * unit(theirs.astype(np.float64))).sum(axis=1)


def is_rounded_to_bfloat16(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether they differ by more than orders of summation in float32 do (some 1e-7 of a unit vector)."""
    return np.linalg.norm(ours - theirs, axis=1).min() > 1e-5


def test_at_full_size_the_cosine_to_float32_has_four_nines():
    clip = CLIP(architecture("ViT-B-32"))
    init_weights(clip, 0)
    images, rows = pixels(clip, 2), np.array([[49406, 320, 1125, 539, 49407]])
    reference = TorchRuntime(clip)
    expected = unit(reference.image_vectors(images)), unit(reference.text_vectors(rows))
    runtime = TorchRuntime(clip, "bfloat16")
    assert (unit(runtime.image_vectors(images)) * expected[0]).sum(axis=1).min() > 0.9999
    assert (unit(runtime.text_vectors(rows)) * expected[1]).sum(axis=1).min() > 0.9999


def test_every_kind_of_tower_comes_near_to_float32(clip):
    """Less near than at full size: the rounding of a few dozen products does not average out."""
    images, rows = pixels(clip, 8), ids(8, 16)
    reference = TorchRuntime(clip)
    expected = unit(reference.image_vectors(images)), unit(reference.text_vectors(rows))
    runtime = TorchRuntime(copy.deepcopy(clip), "bfloat16")
    ours = runtime.image_vectors(images), runtime.text_vectors(rows)
    assert runtime.number_format == "bfloat16"
    assert ours[0].dtype == np.float32
    for vectors, wanted in zip(ours, expected, strict=True):
        assert cosines(vectors, wanted).min() > 0.9995
        assert is_rounded_to_bfloat16(unit(vectors), wanted)


def test_a_vector_does_not_depend_on_the_batch_that_it_is_in(clip):
    images = pixels(clip, 8)
    runtime = TorchRuntime(clip, "bfloat16")
    together = unit(runtime.image_vectors(images))
    alone = unit(np.concatenate([runtime.image_vectors(image[None]) for image in images]))
    assert (together * alone).sum(axis=1).min() > 0.9999


def test_norms_and_what_blocks_add_to_stay_in_float32():
    clip = build(KINDS["clip"])
    seen = []
    norm = clip.image.blocks[1].attention_norm
    norm.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].dtype, output.dtype)))
    TorchRuntime(clip, "bfloat16").image_vectors(pixels(clip, 1))
    assert seen == [(torch.float32, torch.float32)]


def test_a_bert_text_tower_runs_in_bfloat16_too():
    pytest.importorskip("transformers")
    clip = build(bert())
    rows = ids(8, 16)
    expected = unit(TorchRuntime(clip).text_vectors(rows))
    ours = unit(TorchRuntime(clip, "bfloat16").text_vectors(rows))
    assert cosines(ours, expected).min() > 0.9999
    assert is_rounded_to_bfloat16(ours, expected)


def test_the_module_itself_still_takes_float32():
    clip = build(KINDS["clip"])
    images = pixels(clip, 3)
    expected = unit(TorchRuntime(clip).image_vectors(images))
    TorchRuntime(clip, "bfloat16")
    with torch.no_grad():
        ours = clip.encode_image(torch.from_numpy(images)).float().numpy()
    assert (unit(ours) * expected).sum(axis=1).min() > 0.9999


@pytest.mark.skipif(not can_pack_linears(), reason="this processor has no packed products in bfloat16")
@pytest.mark.parametrize("rows", [1, 50, 800])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_gives_the_numbers_of_the_plain_one(rows, bias):
    torch.manual_seed(0)
    linear = torch.nn.Linear(96, 80, bias=bias)
    x = torch.randn(rows, 5, 96)
    expected = copy.deepcopy(linear).bfloat16()(x.bfloat16())
    torch.testing.assert_close(PackedLinear(linear)(x), expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("avx512_bf16", "amx", "fast"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_bfloat16_is_fast_where_the_processor_multiplies_it(monkeypatch, avx512_bf16, amx, fast):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert has_fast_bfloat16(torch.device("cpu")) is fast
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert not has_fast_bfloat16(torch.device("cpu"))


def test_other_devices_have_no_fast_bfloat16():
    assert not has_fast_bfloat16(torch.device("meta"))
