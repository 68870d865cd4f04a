"""Our towers against transformers' models with the same random weights, read by way of their own configurations."""

import json
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor

from lexel.checkpoints.formats.huggingface.config_in import huggingface_rows, read_huggingface_config
from lexel.checkpoints.formats.tensor_tables import to_ours
from lexel.models.clip import CLIP

VISION = {
    "image_size": 48, "patch_size": 16, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3,
    "num_attention_heads": 4,
}  # fmt: skip
TEXT = {
    "vocab_size": 100, "max_position_embeddings": 12, "hidden_size": 32, "intermediate_size": 112,
    "num_hidden_layers": 2, "num_attention_heads": 2, "bos_token_id": 97, "eos_token_id": 98, "pad_token_id": 0,
}  # fmt: skip
BERT = TEXT | {"max_position_embeddings": 24}


def clip(**activation: str) -> hf.PreTrainedModel:
    """OpenAI's kind."""
    return hf.CLIPModel(
        hf.CLIPConfig(projection_dim=24, vision_config=VISION | activation, text_config=TEXT | activation)
    )


def siglip(image_size: int, **text: Any) -> hf.PreTrainedModel:
    """SigLIP, and SigLIP 2 of fixed resolution; both have the sigmoid's scale and bias, each (1,)."""
    text_config = TEXT | {"projection_size": 64, "pad_token_id": 1} | text
    return hf.SiglipModel(hf.SiglipConfig(vision_config=VISION | {"image_size": image_size}, text_config=text_config))


def chinese_clip() -> hf.PreTrainedModel:
    return hf.ChineseCLIPModel(hf.ChineseCLIPConfig(projection_dim=24, vision_config=VISION, text_config=BERT))


def dual_encoder(text: hf.PreTrainedConfig) -> hf.PreTrainedModel:
    vision = hf.CLIPVisionConfig(**VISION)
    config = hf.VisionTextDualEncoderConfig.from_vision_text_configs(vision, text, projection_dim=24)
    return hf.VisionTextDualEncoderModel(config)


MODELS = {
    "clip": lambda: clip(hidden_act="gelu"),
    "clip-quickgelu": lambda: clip(hidden_act="quick_gelu"),
    "siglip": lambda: siglip(48),
    "siglip-remainder": lambda: siglip(52, hidden_size=64, num_attention_heads=4),
    "chinese-clip": chinese_clip,
    "bert": lambda: dual_encoder(hf.BertConfig(**BERT)),
    "roberta": lambda: dual_encoder(hf.RobertaConfig(**BERT | {"pad_token_id": 1})),
    "xlm-roberta": lambda: dual_encoder(hf.XLMRobertaConfig(**BERT | {"pad_token_id": 1})),
}


def randomised(model: Any, std: float = 0.15) -> Any:
    """`model` in evaluation, with random weights that leave no branch without effect."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator) * std
        is_gain = "norm" in name.lower() and name.endswith("weight")
        parameter.data.copy_(noise + is_gain)
    return model.eval()


def ours_from(theirs: Any, **settings: Any) -> CLIP:
    """Our model with their weights, under the architecture that their configuration describes."""
    config = read_huggingface_config(json.loads(theirs.config.to_json_string(use_diff=False)))
    with torch.device("meta"):
        clip = CLIP(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in clip.state_dict().items()}
    arrays = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    weights = to_ours(huggingface_rows(config, shapes, **settings), arrays, shapes, "the reference")
    clip.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, assign=True)
    return clip.eval()


def captions(pad: int, end: int = 98) -> Tensor:
    """Captions of 3, 6, 9 and 12 ids, padded."""
    ids = torch.randint(2, 97, (4, 12), generator=torch.Generator().manual_seed(1))
    for row, length in zip(ids, (3, 6, 9, 12), strict=True):
        row[length - 1] = end
        row[length:] = pad
    return ids


@pytest.mark.parametrize("name", MODELS)
def test_equal_weights_give_equal_embeddings_and_logits(name: str) -> None:
    theirs = randomised(MODELS[name]())
    ours = ours_from(theirs)
    side = ours.config.image.image_size
    pixels = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(2))
    pad = ours.config.text.pad_id or 0
    ids = captions(pad)
    is_siglip = ours.config.logit_bias
    with torch.no_grad():
        mask = None if is_siglip else (ids != pad).long()
        expected = theirs(input_ids=ids, pixel_values=pixels, attention_mask=mask)
        images, texts = ours(pixels, ids)
        logits = ours.logit_scale.exp() * images @ texts.T + (0 if ours.logit_bias is None else ours.logit_bias)
    torch.testing.assert_close(images, expected.image_embeds, rtol=0, atol=2e-6)
    torch.testing.assert_close(texts, expected.text_embeds, rtol=0, atol=2e-6)
    torch.testing.assert_close(logits, expected.logits_per_image, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("siglip")])
def test_captions_cut_to_their_length_give_the_same_embeddings(name: str) -> None:
    ours = ours_from(randomised(MODELS[name]()))
    ids = captions(ours.config.text.pad_id or 0)
    with torch.no_grad():
        whole = ours.encode_text(ids)
        cut = torch.cat([ours.encode_text(row[None, :to]) for row, to in zip(ids, (3, 6, 9, 12), strict=True)])
    torch.testing.assert_close(cut, whole, rtol=1e-4, atol=1e-5)


def test_siglip_2_of_any_shape_is_equal_on_the_square_pictures_that_lexel_shows_it() -> None:
    vision = VISION | {"num_patches": 9}
    vision.pop("image_size")
    text = TEXT | {"projection_size": 64, "pad_token_id": 0}
    theirs = randomised(hf.Siglip2Model(hf.Siglip2Config(vision_config=vision, text_config=text)))
    ours = ours_from(theirs, patches="patches")
    pixels = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(2))
    # (B, 9, P·P·3), the colours of a pixel side by side
    patches = pixels.unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 4, 5, 1).reshape(2, 9, 768)
    with torch.no_grad():
        expected = theirs.get_image_features(
            pixel_values=patches,
            pixel_attention_mask=torch.ones(2, 9, dtype=torch.int64),
            spatial_shapes=torch.tensor([[3, 3], [3, 3]]),
        )
        expected = getattr(expected, "pooler_output", expected)
        torch.testing.assert_close(ours.encode_image(pixels), expected, rtol=1e-5, atol=1e-5)


def test_full_size_vit_b_32_gives_the_embeddings_of_transformers() -> None:
    theirs = randomised(hf.CLIPModel(hf.CLIPConfig()), std=0.03)
    ours = ours_from(theirs)
    pixels = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    ids = torch.randint(1, 49406, (2, 77), generator=torch.Generator().manual_seed(3))
    ids[0, 9:] = ids[1, 76:] = 49407
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=pixels)
        images, texts = ours(pixels, ids)
    torch.testing.assert_close(images, expected.image_embeds, rtol=0, atol=2e-6)
    torch.testing.assert_close(texts, expected.text_embeds, rtol=0, atol=2e-6)
