"""The warning about a model that has learned from drawn scenes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lexel.encoder import Encoder

GENERAL_MODEL = "ViT-B-32/openai"  # what is advised instead


def about_drawn_scenes(encoder: Encoder) -> str | None:
    """A warning where the model's calibration says that it has seen drawn scenes alone: it knows no photographs."""
    source = encoder.calibration.source if encoder.calibration else ""
    if not source.startswith("scenes:"):
        return None
    return (
        f"{encoder.name} has learned from drawn scenes ({source}): it knows nothing about photographs. For those "
        f"take a model\nthat knows them, such as {GENERAL_MODEL}."
    )
