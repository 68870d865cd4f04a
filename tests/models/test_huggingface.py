import subprocess
import sys

import pytest
import torch
from torch import Tensor

from lexel.architectures.config import CLIPConfig, HuggingFaceTextConfig, VisionTransformerConfig
from lexel.errors import ModelError
from lexel.models.clip import CLIP, init_weights
from lexel.models.huggingface import HuggingFaceText

PAD = 1
ROBERTA = {
    "model_type": "roberta", "vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 20, "type_vocab_size": 1, "pad_token_id": PAD,
}  # fmt: skip
NLLB = {
    "model_type": "m2m_100", "vocab_size": 60, "d_model": 32, "encoder_layers": 2, "decoder_layers": 1,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    "pad_token_id": PAD,
}  # fmt: skip
VISION = VisionTransformerConfig(image_size=16, patch_size=8, width=16, depth=1, heads=1)


def config(model: dict[str, object] = ROBERTA, **changes: object) -> HuggingFaceTextConfig:
    settings = {"model": model, "context_length": 12, "vocabulary_size": 60, "end_of_text": 2, "pad_id": PAD}
    return HuggingFaceTextConfig.model_validate(settings | changes)


def tower(embedding: int = 16, **changes: object) -> HuggingFaceText:
    torch.manual_seed(0)
    tower = HuggingFaceText(config(**changes), embedding).eval()
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return tower


def captions(*lengths: int) -> Tensor:
    ids = torch.full((len(lengths), max(lengths)), PAD)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = torch.randint(3, 60, (length,))
    return ids


@pytest.mark.parametrize("pooling", ["class", "mean", "max", "pooler"])
def test_captions_may_be_cut_to_the_longest(pooling: str) -> None:
    model = tower(pooling=pooling)
    ids = captions(3, 6)
    padded = torch.nn.functional.pad(ids, (0, 6), value=PAD)
    with torch.no_grad():
        torch.testing.assert_close(model(padded), model(ids), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(ids[:1, :3]), model(ids)[:1], rtol=1e-4, atol=1e-5)


def test_each_pooling_is_its_formula_on_the_real_tokens() -> None:
    ids = captions(4, 7)
    pooled = {}
    for pooling in ("class", "mean", "max"):
        model = tower(embedding=32, pooling=pooling, projection="none")
        with torch.no_grad():
            states = model.transformer(input_ids=ids, attention_mask=(ids != PAD).long()).last_hidden_state
            pooled[pooling] = model(ids)
    torch.testing.assert_close(pooled["class"], states[:, 0])
    torch.testing.assert_close(pooled["mean"], torch.stack([states[0, :4].mean(0), states[1].mean(0)]))
    torch.testing.assert_close(pooled["max"], torch.stack([states[0, :4].amax(0), states[1].amax(0)]))


@pytest.mark.parametrize(
    ("projection", "shapes"),
    [
        ("linear", {"weight": (16, 32)}),
        ("linear_bias", {"weight": (16, 32), "bias": (16,)}),
        ("mlp", {"0.weight": (24, 32), "2.weight": (16, 24)}),
    ],
)
def test_the_projection_has_these_tensors(projection: str, shapes: dict[str, tuple[int, ...]]) -> None:
    found = tower(projection=projection).projection.state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == shapes


@pytest.mark.parametrize("model", [ROBERTA, NLLB])
def test_a_tower_built_on_meta_takes_a_state_dict_whole(model: dict[str, object]) -> None:
    """Also what transformers computes and does not store, such as positions, is there."""
    first = CLIP(CLIPConfig(embedding=16, image=VISION, text=config(model, pooling="mean")))
    init_weights(first, 0)
    with torch.device("meta"):
        clip = CLIP(first.config)
    clip.load_state_dict(first.state_dict(), assign=True)
    assert not any(tensor.is_meta for tensor in [*clip.parameters(), *clip.buffers()])
    ids = captions(3, 6)
    with torch.no_grad():
        torch.testing.assert_close(clip.eval().encode_text(ids), first.eval().encode_text(ids))


def test_fresh_weights_follow_the_seed_and_leave_the_global_random_state_alone() -> None:
    def fresh(seed: int) -> dict[str, Tensor]:
        clip = CLIP(CLIPConfig(embedding=16, image=VISION, text=config()))
        before = torch.get_rng_state()
        init_weights(clip, seed)
        assert torch.equal(torch.get_rng_state(), before)
        return clip.state_dict()

    one, same, other = fresh(1), fresh(1), fresh(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    name = "text.transformer.encoder.layer.0.output.dense.weight"
    assert not torch.equal(one[name], other[name])


def test_the_tower_can_be_exported_for_any_batch() -> None:
    model, ids = tower(pooling="mean"), captions(3, 6)
    rows = torch.export.Dim("rows")
    exported = torch.export.export(model, (ids,), dynamic_shapes=({0: rows},)).module()
    ids = captions(6, 2, 5)
    torch.testing.assert_close(exported(ids), model(ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 13), (2, 0), (5,)])
def test_ids_that_do_not_fit_the_context_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"T from 1 to 12, but their shape is"):
        tower()(torch.zeros(shape, dtype=torch.int64))


def test_a_model_that_transformers_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match='transformers cannot build the text tower "berta"'):
        tower(model={"model_type": "berta"})


def test_without_a_projection_the_widths_must_agree() -> None:
    with pytest.raises(ModelError, match="the text's width 32 must be 16"):
        tower(projection="none")


def test_without_transformers_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['transformers'] = None\n"
        "from lexel.models.clip import CLIP\n"
        "from lexel.architectures.zoo import architecture\n"
        "from lexel.errors import UsageError\n"
        "import torch\n"
        "try:\n"
        "    with torch.device('meta'): CLIP(architecture('roberta-ViT-B-32'))\n"
        "except UsageError as error: assert 'lexel[hf]' in str(error); print('refused')\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"refused\n"
