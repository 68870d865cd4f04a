"""Small models of other libraries with random weights, and what our towers make of them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import (
    BertConfig,
    BertModel,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    RobertaConfig,
    RobertaModel,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
    VisionTextDualEncoderModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from lexel.checkpoints.formats.read import ForeignModel
from lexel.models.clip import CLIP

SIZES = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = SIZES | {"image_size": 32, "patch_size": 8}
WORDS = SIZES | {"vocab_size": 100, "max_position_embeddings": 12}
LONG_WORDS = WORDS | {"max_position_embeddings": 40}


def towers(model: ForeignModel) -> CLIP:
    """Our towers with the weights that were read."""
    clip = CLIP(model.architecture).eval()
    clip.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.weights.items()})
    return clip.float()


def of_transformers(kind: str, **top: Any) -> Any:
    """A model of transformers with random weights of every size."""
    torch.manual_seed(0)
    match kind:
        case "clip":
            words = WORDS | {"eos_token_id": 99, "bos_token_id": 98, "pad_token_id": 1}
            model = CLIPModel(CLIPConfig(vision_config=VISION, text_config=words, projection_dim=24, **top))
        case "clip-gelu":
            act = {"hidden_act": "gelu", "layer_norm_eps": 1e-3}
            words = WORDS | act | {"eos_token_id": 2}
            model = CLIPModel(CLIPConfig(vision_config=VISION | act, text_config=words, projection_dim=24))
        case "siglip":
            model = SiglipModel(SiglipConfig(vision_config=VISION, text_config=WORDS))
        case "siglip2":
            vision = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 16}
            model = Siglip2Model(Siglip2Config(vision_config=vision, text_config=WORDS))
        case "chinese":
            config = ChineseCLIPConfig(vision_config=VISION, text_config=LONG_WORDS, projection_dim=24)
            model = ChineseCLIPModel(config)
        case "bert" | "roberta" | "xlm-roberta":
            text = {
                "bert": lambda: BertModel(BertConfig(**LONG_WORDS)),
                "roberta": lambda: RobertaModel(RobertaConfig(**LONG_WORDS)),
                "xlm-roberta": lambda: XLMRobertaModel(XLMRobertaConfig(**LONG_WORDS)),
            }[kind]()
            vision_model = CLIPVisionModel(CLIPVisionConfig(**VISION))
            model = VisionTextDualEncoderModel(vision_model=vision_model, text_model=text)
        case _:
            raise AssertionError(kind)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn(parameter.shape) * (0.1 if "norm" in name.lower() else 0.2))
    return model.eval()


def saved(kind: str, folder: Path, **how: Any) -> Any:
    """The model, saved as transformers does."""
    model = of_transformers(kind)
    model.save_pretrained(folder, **how)
    return model


def their_embeddings(model: Any, pixels: Tensor, ids: Tensor, pad: int | None) -> tuple[Tensor, Tensor]:
    """Unit vectors of the images and of the captions, as their library gives them."""
    arguments: dict[str, Any] = {"input_ids": ids, "pixel_values": pixels}
    if pad is not None:
        arguments["attention_mask"] = (ids != pad).long()
    if isinstance(model, Siglip2Model):
        arguments = naflex(pixels, 8) | {"input_ids": ids}
    with torch.no_grad():
        output = model(**arguments)
    return output.image_embeds, output.text_embeds


def naflex(pixels: Tensor, patch: int) -> dict[str, Tensor]:
    """A picture cut into patches as Siglip2's processor does."""
    count, _, side, _ = pixels.shape
    grid = side // patch
    cut = pixels.reshape(count, 3, grid, patch, grid, patch).permute(0, 2, 4, 3, 5, 1)
    return {
        "pixel_values": cut.reshape(count, grid**2, -1),
        "pixel_attention_mask": torch.ones(count, grid**2, dtype=torch.int64),
        "spatial_shapes": torch.tensor([[grid, grid]] * count),
    }


def rows_of_ids(end: int, pad: int, length: int = 12) -> Tensor:
    """Captions of several lengths, filled with padding."""
    ids = torch.full((4, length), pad)
    generator = torch.Generator().manual_seed(2)
    for row, count in zip(ids, (3, 6, 9, length), strict=True):
        row[:count] = torch.randint(5, 98, (count,), generator=generator)
        row[count - 1] = end
    return ids
