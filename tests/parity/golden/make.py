"""Writes towers.npz: what OpenCLIP's models of families.py give for the same weights, pictures and captions.

Run with an environment that has open_clip and timm: python tests/parity/golden/make.py
"""

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import timm
import torch
import transformers
from families import FAMILIES, captions, pixels, weight
from timm.models import register_model
from timm.models.convnext import ConvNeXt
from timm.models.vision_transformer import VisionTransformer


def register_small(name: str, image_size: int, settings: dict[str, Any]) -> None:
    """Make timm know a model that is smaller than those it has."""

    def build(num_classes: int = 1000, global_pool: str | None = None, **_: Any) -> torch.nn.Module:
        more = {"num_classes": num_classes} | ({"global_pool": global_pool} if global_pool else {})
        if "dims" in settings:
            model = ConvNeXt(**settings, **more)
            model.default_cfg = {"pool_size": (2, 2)}
            return model
        return VisionTransformer(img_size=image_size, **settings, **more)

    build.__name__ = name
    build.__module__ = "timm.models.vision_transformer"
    register_model(build)


def build(content: dict[str, Any]) -> Any:
    """OpenCLIP's model with the weights of the rule."""
    settings = {key: value for key, value in content.items() if not key.startswith("-")}
    if content.get("-small"):
        vision = settings["vision_cfg"]
        register_small(vision["timm_model_name"], vision["image_size"], content["-small"])
    if "-model" in content:
        model = dict(content["-model"])
        config = transformers.AutoConfig.for_model(model.pop("model_type"), **model)
        transformers.AutoConfig.from_pretrained = lambda *_, **__: config
        settings["text_cfg"] = settings["text_cfg"] | {"hf_model_pretrained": False}
    custom = settings.pop("custom_text", False) or "-model" in content
    kind = open_clip.CoCa if "multimodal_cfg" in settings else open_clip.CustomTextCLIP if custom else open_clip.CLIP
    clip = kind(**settings).eval()
    clip.load_state_dict(
        {name: torch.from_numpy(weight(name, tuple(tensor.shape))).to(tensor.dtype)
         for name, tensor in clip.state_dict().items()}
    )  # fmt: skip
    return clip


def main() -> None:
    print(f"open_clip {open_clip.__version__}, timm {timm.__version__}, transformers {transformers.__version__}")
    found = {}
    for name, content in FAMILIES.items():
        clip = build(content)
        side = content["vision_cfg"]["image_size"]
        end = content["text_cfg"].get("eos_id", 99)
        with torch.no_grad():
            image = clip.encode_image(torch.from_numpy(pixels(side)), normalize=False)
            text = clip.encode_text(torch.from_numpy(captions(end)), normalize=False)
        found |= {f"{name}.image": image.numpy(), f"{name}.text": text.numpy()}
        print(f"{name:<20}{float(image.std()):8.3f}{float(text.std()):8.3f}")
    np.savez_compressed(Path(__file__).with_name("towers.npz"), **found)


if __name__ == "__main__":
    main()
