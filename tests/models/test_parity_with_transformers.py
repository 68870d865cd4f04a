"""Our towers against transformers' CLIPModel with the same random weights."""

import pytest
import torch
from torch import Tensor
from transformers import CLIPConfig as TheirConfig
from transformers import CLIPModel

from lexel.models.clip import CLIP
from lexel.models.config import CLIPConfig, TextTransformerConfig, VisionTransformerConfig

END = 98


def their_model(activation: str) -> CLIPModel:
    config = TheirConfig(
        projection_dim=24,
        vision_config={
            "image_size": 48, "patch_size": 16, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3,
            "num_attention_heads": 4, "hidden_act": activation,
        },
        text_config={
            "vocab_size": 100, "max_position_embeddings": 12, "hidden_size": 32, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": activation, "eos_token_id": END,
            "bos_token_id": 97, "pad_token_id": 0,
        },
    )  # fmt: skip
    model = CLIPModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


def our_model(activation: str) -> CLIP:
    image = VisionTransformerConfig.model_validate(
        {"image_size": 48, "patch_size": 16, "width": 64, "depth": 3, "heads": 4, "mlp_ratio": 2.5}
        | {"activation": activation}
    )
    text = TextTransformerConfig.model_validate(
        {"context_length": 12, "vocabulary_size": 100, "end_of_text": END, "width": 32, "depth": 2, "heads": 2}
        | {"activation": activation}
    )
    return CLIP(CLIPConfig(embedding=24, image=image, text=text)).eval()


def blocks(theirs: dict[str, Tensor], tower: str, depth: int) -> dict[str, Tensor]:
    ours = {}
    for index in range(depth):
        for part in ("weight", "bias"):
            get = lambda name: theirs[f"{tower}.encoder.layers.{index}.{name}.{part}"]  # noqa: B023, E731
            ours |= {
                f"blocks.{index}.attention_norm.{part}": get("layer_norm1"),
                f"blocks.{index}.attention.qkv.{part}": torch.cat([get(f"self_attn.{x}_proj") for x in "qkv"]),
                f"blocks.{index}.attention.output.{part}": get("self_attn.out_proj"),
                f"blocks.{index}.mlp_norm.{part}": get("layer_norm2"),
                f"blocks.{index}.mlp.expand.{part}": get("mlp.fc1"),
                f"blocks.{index}.mlp.contract.{part}": get("mlp.fc2"),
            }
    return ours


def translate(theirs: dict[str, Tensor]) -> dict[str, Tensor]:
    image = blocks(theirs, "vision_model", 3) | {
        "class_embedding": theirs["vision_model.embeddings.class_embedding"],
        "stem.weight": theirs["vision_model.embeddings.patch_embedding.weight"],
        "position_embedding": theirs["vision_model.embeddings.position_embedding.weight"],
        "projection.weight": theirs["visual_projection.weight"],
    }
    text = blocks(theirs, "text_model", 2) | {
        "token_embedding.weight": theirs["text_model.embeddings.token_embedding.weight"],
        "position_embedding": theirs["text_model.embeddings.position_embedding.weight"],
        "projection.weight": theirs["text_projection.weight"],
    }
    for part in ("weight", "bias"):
        image[f"pre_norm.{part}"] = theirs[f"vision_model.pre_layrnorm.{part}"]
        image[f"final_norm.{part}"] = theirs[f"vision_model.post_layernorm.{part}"]
        text[f"final_norm.{part}"] = theirs[f"text_model.final_layer_norm.{part}"]
    ours = {f"image.{name}": tensor for name, tensor in image.items()}
    ours |= {f"text.{name}": tensor for name, tensor in text.items()}
    return ours | {"logit_scale": theirs["logit_scale"]}


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_equal_weights_give_equal_embeddings_and_logits(activation: str):
    theirs, ours = their_model(activation), our_model(activation)
    ours.load_state_dict(translate(theirs.state_dict()))
    pixels = torch.randn(4, 3, 48, 48)
    ids = torch.randint(1, 97, (4, 12))
    for row, end in zip(ids, (3, 6, 9, 11), strict=True):
        row[end:] = END
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=pixels)
        images, texts = ours(pixels, ids)
        logits = ours.logit_scale.exp() * images @ texts.T
    torch.testing.assert_close(images, expected.image_embeds, rtol=0, atol=1e-5)
    torch.testing.assert_close(texts, expected.text_embeds, rtol=0, atol=1e-5)
    torch.testing.assert_close(logits, expected.logits_per_image, rtol=1e-4, atol=1e-4)
