import pytest
from pydantic import ValidationError

from lexel.models.config import CLIPConfig, ResNetConfig, TextTransformerConfig, VisionTransformerConfig


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (VisionTransformerConfig, {"image_size": 100}, "image_size 100 is not a multiple of patch_size 32"),
        (VisionTransformerConfig, {"width": 100}, "width 100 is not a multiple of heads 12"),
        (VisionTransformerConfig, {"stem": "convolutional", "patch_size": 14}, "patch_size 14 must be 2, 4, 8"),
        (VisionTransformerConfig, {"stem": "convolutional", "patch_size": 1}, "patch_size 1 must be 2, 4, 8"),
        (VisionTransformerConfig, {"stem": "convolutional", "width": 36}, "width 36, which must be a multiple of 16"),
        (VisionTransformerConfig, {"patch_dropout": 1.0}, "less than 1"),
        (VisionTransformerConfig, {"pooling": "max"}, "'class' or 'mean'"),
        (VisionTransformerConfig, {"colour": 1}, "Extra inputs are not permitted"),
        (ResNetConfig, {"image_size": 100}, "image_size 100 is not a multiple of 32"),
        (ResNetConfig, {"width": 63}, "width 63 must be even"),
        (ResNetConfig, {"heads": 3}, "multiple of heads 3"),
        (ResNetConfig, {"depths": (3, 4, 6)}, "depths"),
        (TextTransformerConfig, {"width": 100}, "width 100 is not a multiple of heads 8"),
        (TextTransformerConfig, {"vocabulary_size": 1000}, "end_of_text 49407 is outside a vocabulary of 1000"),
        (CLIPConfig, {"image": {"kind": "swin"}}, "vision_transformer"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(config, settings, message):
    with pytest.raises(ValidationError, match=message):
        config.model_validate(settings)


@pytest.mark.parametrize("image", [VisionTransformerConfig(stem="convolutional", width=384), ResNetConfig()])
def test_a_config_survives_json(image):
    config = CLIPConfig(image=image, logit_bias=True)
    assert CLIPConfig.model_validate_json(config.model_dump_json()) == config


def test_the_kind_decides_which_tower_a_config_means():
    assert CLIPConfig.model_validate({"image": {"kind": "resnet", "width": 80, "heads": 40}}).image == ResNetConfig(
        width=80, heads=40
    )
