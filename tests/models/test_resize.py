import numpy as np
import pytest
import torch

from lexel.architectures.config import (
    CLIPConfig,
    ConvNeXtConfig,
    HuggingFaceTextConfig,
    ResNetConfig,
    TextTransformerConfig,
    TimmConfig,
    VisionTransformerConfig,
)
from lexel.errors import UsageError
from lexel.models.clip import CLIP, init_weights
from lexel.models.resize import resized

VISION = VisionTransformerConfig(image_size=32, patch_size=8, width=48, depth=2, heads=3)
TEXT = TextTransformerConfig(context_length=32, vocabulary_size=60, end_of_text=59, width=32, depth=2, heads=2)
ROBERTA = HuggingFaceTextConfig(
    model={"model_type": "roberta", "max_position_embeddings": 34}, context_length=20, vocabulary_size=60,
    end_of_text=2, pad_id=1,
)  # fmt: skip


def model(image=VISION, text=TEXT) -> CLIP:
    clip = CLIP(CLIPConfig(embedding=24, image=image, text=text)).eval()
    init_weights(clip, 0)
    return clip


def resized_model(clip: CLIP, **sizes: int) -> CLIP:
    weights = {name: tensor.numpy() for name, tensor in clip.state_dict().items()}
    config, weights = resized(clip.config, weights, **sizes)
    other = CLIP(config).eval()
    other.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return other


@pytest.mark.parametrize(
    "image",
    [
        VISION,
        VISION.model_copy(update={"pooling": "map", "norm_tokens": True}),
        ResNetConfig(image_size=32, width=8, depths=(1, 1, 1, 1), heads=4),
        ConvNeXtConfig(image_size=32, width=8, depths=(1, 1, 1, 1)),
    ],
)
def test_a_resized_model_gives_what_the_first_one_gives_for_pictures_of_that_size(image) -> None:
    clip = model(image)
    other = resized_model(clip, image_size=64)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(other.encode_image(pixels), clip.encode_image(pixels))
    assert other.config.image.image_size == 64


def test_captions_of_up_to_twenty_tokens_keep_their_embeddings_in_a_longer_context() -> None:
    clip = model()
    other = resized_model(clip, context_length=80)
    ids = torch.randint(1, 58, (3, 20))
    with torch.no_grad():
        torch.testing.assert_close(other.encode_text(ids), clip.encode_text(ids))
        assert other.encode_text(torch.randint(1, 58, (3, 80))).shape == (3, 24)


def test_a_shorter_context_keeps_the_embeddings_of_what_fits() -> None:
    clip = model()
    other = resized_model(clip, context_length=9)
    ids = torch.randint(1, 58, (3, 9))
    with torch.no_grad():
        torch.testing.assert_close(other.encode_text(ids), clip.encode_text(ids))


def test_cocas_class_token_keeps_its_own_position() -> None:
    clip = model(text=TEXT.model_copy(update={"pooling": "class"}))
    other = resized_model(clip, context_length=40)
    assert len(other.text.position_embedding) == 41
    assert torch.equal(other.text.position_embedding[-1], clip.text.position_embedding[-1])


def test_equal_sizes_change_nothing() -> None:
    config, weights = resized(CLIPConfig(), {"a": np.ones(1)}, image_size=224, context_length=77)
    assert config == CLIPConfig()
    assert list(weights) == ["a"]


def test_half_precision_stays_half_precision() -> None:
    weights = {"image.position_embedding": np.ones((17, 48), np.float16)}
    config = CLIPConfig(image=VISION, text=TEXT)
    assert resized(config, weights, image_size=64)[1]["image.position_embedding"].dtype == np.float16


@pytest.mark.parametrize(
    ("config", "sizes", "message"),
    [
        (CLIPConfig(image=VISION), {"image_size": 60}, "image_size 60 is not a multiple of patch_size 8"),
        (CLIPConfig(image=VISION), {"image_size": 0}, "greater than 0"),
        (CLIPConfig(image=TimmConfig(model="fastvit_mci0", image_size=256)), {"image_size": 224}, "256 pixels only"),
        (CLIPConfig(text=ROBERTA), {"context_length": 33}, "more than the text model's 32 positions"),
    ],
)
def test_what_the_towers_cannot_have_is_refused(config: CLIPConfig, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resized(config, {}, **sizes)


def test_a_text_model_of_transformers_takes_captions_up_to_its_positions() -> None:
    assert resized(CLIPConfig(text=ROBERTA), {}, context_length=32)[0].text.context_length == 32
