"""OpenCLIP's configurations, in both directions."""

from typing import Any

import pytest

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, TimmConfig, VisionTransformerConfig
from lexel.architectures.zoo import ARCHITECTURES
from lexel.checkpoints.formats.open_clip.config_in import read_open_clip_config
from lexel.checkpoints.formats.open_clip.config_out import open_clip_config
from lexel.errors import LexelError, ModelError, UsageError
from lexel.images import Preprocessing


def config(vision: dict[str, Any] | None = None, text: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    vision = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32} | (vision or {})
    text = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12} | (text or {})
    return {"embed_dim": 512, "vision_cfg": vision, "text_cfg": text} | top


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if not name.startswith("lexel-")])
def test_every_architecture_of_open_clip_is_read_back_as_it_was_written(name):
    architecture = ARCHITECTURES[name]
    pixels = Preprocessing(image_size=architecture.image.image_size, resize="pad", fill=7, interpolation="bilinear")
    assert read_open_clip_config(open_clip_config(architecture, pixels)) == (architecture, pixels)


def test_what_open_clip_has_no_place_for_is_named():
    architecture = ARCHITECTURES["lexel-s"]
    with pytest.raises(UsageError, match="pools by the mean of a caption's words"):
        open_clip_config(architecture, Preprocessing(image_size=architecture.image.image_size))


def image_of(content: dict[str, Any]) -> VisionTransformerConfig:
    image = read_open_clip_config(content)[0].image
    assert isinstance(image, VisionTransformerConfig)
    return image


def text_of(content: dict[str, Any]) -> TextTransformerConfig:
    text = read_open_clip_config(content)[0].text
    assert isinstance(text, TextTransformerConfig)
    return text


def test_the_settings_that_change_numbers_are_read():
    image = image_of(
        config({"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True, "ls_init_value": 1e-4})
    )
    assert (image.pre_norm, image.pooling, image.norm_tokens, image.class_token) == (False, "mean", False, True)
    assert image.layer_scale
    assert image_of(config({"pool_type": "avg"})).norm_tokens
    assert (
        image_of(config({"act_kwargs": {"approximate": "tanh"}, "norm_kwargs": {"eps": 1e-6}})).activation
        == "gelu_tanh"
    )
    assert image_of(config({"norm_kwargs": {"eps": 1e-6}})).norm_epsilon == 1e-6
    assert image_of(config({"head_width": 96})).heads == 8
    pooled = image_of(config({"attentional_pool": True, "attn_pooler_heads": 4, "attn_pooler_queries": 9}))
    assert (pooled.pooling, pooled.pooling_heads, pooled.pooling_queries) == ("attention", 4, 9)
    assert image_of(config(quick_gelu=True)).activation == "quick_gelu"
    assert text_of(config(quick_gelu=True)).activation == "quick_gelu"


def test_the_settings_of_text_towers_are_read():
    siglip = {"vocab_size": 32000, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP", "no_causal_mask": True,
              "proj_bias": True, "pool_type": "last", "context_length": 64}  # fmt: skip
    text = text_of(config(text=siglip))
    assert (text.causal, text.pooling, text.projection) == (False, "last", "linear_bias")
    assert (text.end_of_text, text.pad_id, text.context_length) == (1, 1, 64)
    assert text_of(config(text=siglip | {"vocab_size": 256000})).pad_id == 0
    worldwide = text_of(config(text={"vocab_size": 901629, "pool_type": "eos", "eos_id": 2}))
    assert (worldwide.end_of_text, worldwide.pooling, worldwide.pad_id) == (2, "end", None)
    assert text_of(config(text={"embed_cls": True})).pooling == "class"
    assert text_of(config(text={"no_causal_mask": True})).pad_id == 0
    assert text_of(config(text={"proj_type": "none"})).projection == "none"


@pytest.mark.parametrize(
    ("vision", "text", "told"),
    [
        ({"qk_norm": True}, {}, "vision_cfg sets qk_norm to True"),
        ({"new_setting": 3}, {}, "vision_cfg sets new_setting to 3"),
        ({}, {"scale_fc": True}, "text_cfg sets scale_fc to True"),
        ({"attentional_pool": "parallel"}, {}, "vision_cfg asks for a pooling"),
        ({"pool_type": "none"}, {}, "vision_cfg asks for a pooling"),
        ({}, {"pool_type": "none"}, "text_cfg asks for a pooling"),
        ({"act_kwargs": {"inplace": True}}, {}, "vision_cfg sets act_kwargs"),
        ({"norm_kwargs": {"bias": False}}, {}, "vision_cfg sets norm_kwargs"),
        ({"timm_model_name": "resnet50", "timm_pool": "abs_attn"}, {}, "the pooling abs_attn"),
        ({}, {"hf_model_name": "some/model"}, 'The text model "some/model" is not one'),
        ({}, {"hf_tokenizer_name": "some/words", "pool_type": "last"}, 'The tokenizer "some/words"'),
    ],
)
def test_what_would_change_the_numbers_and_cannot_be_done_is_refused(vision, text, told):
    with pytest.raises(UsageError, match=told):
        read_open_clip_config(config(vision, text))


@pytest.mark.parametrize(
    "content", [{}, {"model_cfg": 3}, config({"width": -1}), config(embed_dim="x"), {"vision_cfg": {}}]
)
def test_what_is_no_configuration_is_told(content):
    with pytest.raises(ModelError, match="is no configuration of OpenCLIP"):
        read_open_clip_config(content)


def test_preprocessing_is_read_and_a_picture_that_is_not_square_is_refused():
    said = {"size": [336, 336], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bilinear",
            "resize_mode": "squash"}  # fmt: skip
    _, found = read_open_clip_config({"model_cfg": config(), "preprocess_cfg": said})
    assert found == Preprocessing(image_size=336, resize="squash", interpolation="bilinear", mean=(0.5, 0.5, 0.5),
                                  std=(0.5, 0.5, 0.5), convention="open_clip")  # fmt: skip
    with pytest.raises(UsageError, match="Lexel's are square"):
        read_open_clip_config({"model_cfg": config(), "preprocess_cfg": {"size": [224, 336]}})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stem": "convolutional", "patch_size": 32}, "convolutional stem"),
        ({"pooling": "mean"}, "no class token"),
        ({"patch_bias": True}, "patches have a bias"),
        ({"activation": "quick_gelu"}, "different activations"),
    ],
)
def test_what_open_clip_cannot_hold_is_named(changes, told):
    image = VisionTransformerConfig.model_validate(changes)
    with pytest.raises(UsageError, match=f"OpenCLIP cannot hold this model: .*{told}"):
        open_clip_config(CLIPConfig(image=image), Preprocessing())


def test_a_tower_of_timm_keeps_its_pooling_and_projection():
    for projection in ("trunk", "none", "linear", "linear_bias", "mlp", "mlp_bias"):
        image = TimmConfig.model_validate({"model": "m", "image_size": 64, "pool": "avg", "projection": projection})
        architecture = CLIPConfig(image=image)
        assert read_open_clip_config(open_clip_config(architecture, Preprocessing(image_size=64)))[0] == architecture


def test_a_siglip_tower_that_timm_has_with_another_activation_is_refused():
    siglip = ARCHITECTURES["ViT-B-16-SigLIP"]
    other = siglip.model_copy(update={"image": siglip.image.model_copy(update={"activation": "gelu_tanh"})})
    with pytest.raises(LexelError, match="no SigLIP image tower of these sizes with this activation"):
        open_clip_config(other, Preprocessing())
