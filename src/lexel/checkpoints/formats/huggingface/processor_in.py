"""How transformers' models want their pictures prepared: `preprocessor_config.json` as our preprocessing."""

from collections.abc import Mapping
from typing import Any

from lexel.checkpoints.formats.open_clip.text_models import NOTE
from lexel.errors import ModelError, UsageError
from lexel.images import Preprocessing

SQUASHED = {"do_center_crop": False, "image_mean": (0.5, 0.5, 0.5), "image_std": (0.5, 0.5, 0.5)}
# What the image processors do where their files say nothing, by the kind of the model.
PROCESSORS: dict[str, dict[str, Any]] = {
    "siglip": {**SQUASHED, "resample": 3},
    "siglip2": {**SQUASHED, "resample": 2},
}
CROPPED = {"do_center_crop": True, "resample": 3}
RESAMPLING = {2: "bilinear", 3: "bicubic"}


def read_processor(content: Mapping[str, Any], model_type: str, image_size: int) -> Preprocessing:
    """The preprocessing that a `preprocessor_config.json` describes, or that of the kind of model if it is empty."""
    said = content.get("image_processor") or content
    content = {
        **PROCESSORS.get(model_type, CROPPED),
        **{key: value for key, value in said.items() if value is not None},
    }
    size, crop = content.get("size", image_size), content.get("crop_size", image_size)
    if not content["do_center_crop"]:
        crop = size
    side = _side(crop)
    if not content.get("do_resize", True) or not content.get("do_rescale", True):
        raise UsageError("leaves out the resizing or the rescaling of pictures, which Lexel always does.")
    if isinstance(size, Mapping) and "shortest_edge" in size and not content["do_center_crop"]:
        raise UsageError("resizes pictures without making them square; Lexel's towers take squares.")
    if "max_num_patches" not in content and _side(size) != side:
        raise UsageError(f"resizes to {_side(size)} pixels and crops {side}; Lexel crops what it resized to.")
    squash = not content["do_center_crop"] or (isinstance(size, Mapping) and "height" in size)
    fields = {
        "image_size": image_size if "max_num_patches" in content else side,
        "resize": "squash" if squash else "shortest",
        "interpolation": RESAMPLING.get(content["resample"], content["resample"]),
        "convention": (content.get(NOTE) or {}).get("convention", "transformers"),
    }
    if not content.get("do_normalize", True):
        fields |= {"mean": (0, 0, 0), "std": (1, 1, 1)}
    else:
        fields |= {key: content[f"image_{key}"] for key in ("mean", "std") if f"image_{key}" in content}
    try:
        return Preprocessing.model_validate(fields)
    except ValueError as error:
        raise ModelError(f"does not describe how pictures are prepared: {' '.join(str(error).split())[:160]}") from None


def _side(size: Any) -> int:
    if not isinstance(size, Mapping):
        return int(size)
    sides = {int(size[key]) for key in ("shortest_edge", "height", "width") if key in size}
    if len(sides) != 1:
        raise UsageError(f"makes pictures of {dict(size)} pixels; Lexel's are square.")
    return sides.pop()
