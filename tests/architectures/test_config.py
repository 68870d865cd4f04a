from typing import get_args

import pytest
from pydantic import ValidationError

from lexel.architectures.config import (
    IMAGE_TOWERS,
    TEXT_TOWERS,
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ImageConfig,
    ResNetConfig,
    TextConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)

BERT = {"model": {"model_type": "bert"}, "vocabulary_size": 100, "end_of_text": 99, "pad_id": 0}


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (VisionTransformerConfig, {"image_size": 100}, "image_size 100 is not a multiple of patch_size 32"),
        (VisionTransformerConfig, {"width": 100}, "width 100 is not a multiple of heads 12"),
        (VisionTransformerConfig, {"stem": "convolutional", "patch_size": 14}, "patch_size 14 must be 2, 4, 8"),
        (VisionTransformerConfig, {"stem": "convolutional", "patch_size": 1}, "patch_size 1 must be 2, 4, 8"),
        (VisionTransformerConfig, {"stem": "convolutional", "width": 36}, "width 36, which must be a multiple of 16"),
        (VisionTransformerConfig, {"patch_dropout": 1.0}, "less than 1"),
        (VisionTransformerConfig, {"pooling": "max"}, "'class', 'mean', 'map' or 'attention'"),
        (VisionTransformerConfig, {"colour": 1}, "Extra inputs are not permitted"),
        (ResNetConfig, {"image_size": 100}, "image_size 100 is not a multiple of 32"),
        (ResNetConfig, {"width": 63}, "width 63 must be even"),
        (ResNetConfig, {"heads": 3}, "multiple of heads 3"),
        (ResNetConfig, {"depths": (3, 4, 6)}, "depths"),
        (TextTransformerConfig, {"width": 100}, "width 100 is not a multiple of heads 8"),
        (TextTransformerConfig, {"vocabulary_size": 1000}, "end_of_text 49407 is outside a vocabulary of 1000"),
        (VisionTransformerConfig, {"patch_size": 256, "drop_remainder": True}, "224 is smaller than patch_size 256"),
        (VisionTransformerConfig, {"class_token": False}, "class pooling needs the class token"),
        (VisionTransformerConfig, {"pooling": "attention", "norm_tokens": True}, "norm_tokens must be false"),
        (VisionTransformerConfig, {"pooling": "attention", "projection": False}, "projection true"),
        (VisionTransformerConfig, {"pooling": "map", "pooling_heads": 7}, "multiple of pooling_heads 7"),
        (VisionTransformerConfig, {"stem": "convolutional", "drop_remainder": True}, "drop_remainder must be false"),
        (VisionTransformerConfig, {"norm_epsilon": 0}, "greater than 0"),
        (ConvNeXtConfig, {"image_size": 100}, "image_size 100 is not a multiple of 32"),
        (TextTransformerConfig, {"causal": False}, "sees the padding: give pad_id"),
        (TextTransformerConfig, {"pooling": "last"}, "sees the padding: give pad_id"),
        (TextTransformerConfig, {"pooling": "class", "pad_id": 0}, "class pooling is for causal towers without"),
        (TextTransformerConfig, {"pad_id": 50000}, "pad_id 50000 is outside a vocabulary of 49408"),
        (HuggingFaceTextConfig, BERT | {"pad_id": 100}, "pad_id 100 is outside a vocabulary of 100"),
        (HuggingFaceTextConfig, BERT | {"model": {}}, "model has no model_type"),
        (CLIPConfig, {"image": {"kind": "swin"}}, "vision_transformer"),
        (CLIPConfig, {"text": {"kind": "lstm"}}, "text_transformer"),
        (CLIPConfig, {"text": {"widht": 8}}, "widht"),
        (CLIPConfig, {"text": 3}, "text"),
        (CLIPConfig, {"image": {"kind": "vision_transformer", "projection": False}}, "image's width 768 must be 512"),
        (CLIPConfig, {"text": {"projection": "none"}, "embedding": 256}, "text's width 512 must be 256"),
        (
            CLIPConfig,
            {"image": {"kind": "vision_transformer", "pooling": "attention", "pooling_heads": 7}},
            "embedding 512 is not a multiple of pooling_heads 7",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(config, settings, message):
    with pytest.raises(ValidationError, match=message):
        config.model_validate(settings)


@pytest.mark.parametrize(
    "config",
    [
        CLIPConfig(image=VisionTransformerConfig(stem="convolutional", width=384), logit_bias=True),
        CLIPConfig(image=ResNetConfig()),
        CLIPConfig(image=ConvNeXtConfig(projection="mlp")),
        CLIPConfig(image=TimmConfig(model="fastvit_mci0", image_size=256)),
        CLIPConfig(text=HuggingFaceTextConfig.model_validate(BERT)),
    ],
)
def test_a_config_survives_json(config):
    assert CLIPConfig.model_validate_json(config.model_dump_json()) == config


def test_the_kind_decides_which_tower_a_config_means():
    assert CLIPConfig.model_validate({"image": {"kind": "resnet", "width": 80, "heads": 40}}).image == ResNetConfig(
        width=80, heads=40
    )
    assert isinstance(CLIPConfig.model_validate({"text": {"kind": "huggingface"} | BERT}).text, HuggingFaceTextConfig)


def test_a_text_tower_without_a_kind_is_what_it_was_before_there_were_kinds():
    assert CLIPConfig.model_validate({"text": {"width": 384, "heads": 6}}).text == TextTransformerConfig(
        width=384, heads=6
    )


def test_new_fields_leave_the_settings_of_older_models_as_they_were():
    """A model folder's fingerprint is made of what differs from the defaults."""
    older = CLIPConfig(image=VisionTransformerConfig(pooling="mean"), text=TextTransformerConfig(width=384, heads=6))
    assert older.model_dump(exclude_defaults=True) == {
        "image": {"pooling": "mean"},
        "text": {"width": 384, "heads": 6},
    }


@pytest.mark.parametrize(
    ("pooling", "class_token", "has"), [("class", None, True), ("mean", None, False), ("mean", True, True)]
)
def test_only_class_pooling_has_a_class_token_unless_it_is_asked_for(pooling, class_token, has):
    assert VisionTransformerConfig(pooling=pooling, class_token=class_token).has_class_token is has


def test_the_width_inside_an_mlp_follows_a_ratio_that_is_not_whole_or_is_given():
    assert VisionTransformerConfig(width=1664, heads=16, mlp_ratio=4.9231).hidden == 8192
    assert VisionTransformerConfig(width=1152, heads=16, mlp_hidden=4304).hidden == 4304


def test_padding_is_seen_where_the_tower_says_what_it_is():
    assert not TextTransformerConfig().sees_padding
    assert TextTransformerConfig(causal=False, pad_id=0).sees_padding
    assert not HuggingFaceTextConfig.model_validate(BERT).sees_padding


def test_the_lists_of_towers_are_the_members_of_the_unions() -> None:
    images, texts = get_args(get_args(ImageConfig)[0]), get_args(get_args(TextConfig)[0])
    assert images == IMAGE_TOWERS
    assert tuple(get_args(text)[0] for text in texts) == TEXT_TOWERS
