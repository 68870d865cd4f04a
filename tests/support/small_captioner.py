"""A captioner of colours that learns in seconds: pictures of stripes, sentences that name their colours."""

import itertools
from pathlib import Path
from typing import Any, cast

from colour_encoder import COLOURS, ColourEncoder, Painted

from lexel.data.pairs import Pair, Source
from lexel.encoder import Encoder
from lexel.generation.captions.folder import CaptionerFacts
from lexel.generation.captions.settings import CaptionerSettings
from lexel.generation.captions.training import train_captioner

SEEN = [
    Pair(f"{one}-{other}", Painted((one, other)), (f"{one} beside {other}", f"{other} and {one}"))
    for one, other in itertools.combinations(COLOURS, 2)
]
COLOUR_SOURCE = Source("stripes", SEEN)


def colours() -> Encoder:
    """Near enough to an Encoder for a captioner."""
    encoder = ColourEncoder()
    encoder.source = None  # pyright: ignore[reportAttributeAccessIssue]
    return cast(Encoder, encoder)


def colour_settings(steps: int = 150, **changes: Any) -> CaptionerSettings:
    learning = {"steps": steps, "batch_size": 32, "learning_rate": 5e-3, "precision": "float32", "average": 0.9}
    small = {"width": 32, "depth": 1, "heads": 2, "vocabulary_size": 300, "dropout": 0.0, "context_length": 12}
    return CaptionerSettings.build(
        {"learning": learning | {"snapshot": {"every_steps": 10}}, "noise": 0.2} | small | changes
    )


def train_on_colours(folder: Path, settings: CaptionerSettings | None = None, texts: bool = False) -> CaptionerFacts:
    source = sorted({caption for pair in SEEN for caption in pair.captions}) if texts else COLOUR_SOURCE
    return train_captioner(colours(), source, folder, settings or colour_settings())
