"""How the matrix of one batch lights up along its diagonal while a run learns: `growth.json` in the run folder.

A few held-out pairs are embedded at the beginning and at steps that lie closer together while a model learns fastest.
The web page shows it. It changes nothing in the weights: nothing is drawn, and no gradient taken.
"""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from lexel.data.captions import fill
from lexel.data.pairs import Pair
from lexel.encoder import Encoder
from lexel.errors import BadImageError
from lexel.files import write_atomically

GROWTH = "growth.json"
GROWTH_PAIRS, MOMENTS = 12, 16  # held-out pairs that are shown; times that they are embedded
SEEN_PAIRS = 400  # of the held-out pairs, among which GROWTH_PAIRS are chosen
PICTURE_SIDE = 96  # pixels of the pictures that are kept
DIGITS = 4  # of a cosine


def moments(steps: int) -> list[int]:
    """After how many steps the batch is embedded, closer together at the beginning: 0, …, `steps`."""
    return sorted({round(steps * (turn / (MOMENTS - 1)) ** 2) for turn in range(MOMENTS)})


@dataclass
class Growth:
    """The batch, and what came of it so far."""

    path: Path
    steps: frozenset[int]  # of `moments`
    pairs: list[tuple[Image.Image, str]]
    content: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, steps: int, held_out: list[Pair], template: str, start: int) -> Self:
        """Of a run of `steps` steps that begins, or goes on after `start` of them; later entries are dropped."""
        pairs = _choose(held_out, template)
        path = folder / GROWTH
        content = _fresh(pairs)
        earlier = _read(path)
        if earlier is not None and earlier["captions"] == content["captions"]:
            kept = sum(step <= start for step in earlier["steps"])
            for name in ("steps", "logit_scales", "cosines"):
                content[name] = earlier[name][:kept]
        return cls(path, frozenset(moments(steps)) if len(pairs) > 1 else frozenset(), pairs, content)

    def is_due(self, step: int) -> bool:
        """Whether the batch is to be embedded after so many steps, and has not been."""
        return step in self.steps and step not in self.content["steps"]

    def note(self, encoder: Encoder, step: int, *, write: bool) -> None:
        """Embed the batch by the model as it is after `step` steps; every process calls it, one of them writes."""
        images = encoder.embed_images([image for image, _ in self.pairs])
        texts = encoder.embed_texts([text for _, text in self.pairs])
        self.content["steps"].append(step)
        self.content["logit_scales"].append(round(float(encoder.logit_scale), DIGITS))
        self.content["cosines"].append(np.round((images @ texts.T).astype(np.float64), DIGITS).tolist())
        if write:
            write_atomically(self.path, json.dumps(self.content, ensure_ascii=False))


def _choose(held_out: list[Pair], template: str) -> list[tuple[Image.Image, str]]:
    """Pictures and their texts, no two texts alike, spread over the held-out pairs."""
    chosen: list[tuple[Image.Image, str]] = []
    said: set[str] = set()
    for pair in held_out:
        text = pair.captions[0] if pair.captions else fill(template, pair.label or "")
        if len(chosen) == GROWTH_PAIRS:
            break
        if text in said:
            continue
        try:
            image = pair.picture.load()
        except BadImageError:
            continue
        said.add(text)
        chosen.append((image, text))
    return chosen


def _fresh(pairs: list[tuple[Image.Image, str]]) -> dict[str, Any]:
    return {
        "captions": [text for _, text in pairs],
        "pictures": [_data_url(image) for image, _ in pairs],
        "steps": [],
        "logit_scales": [],
        "cosines": [],
    }


def _data_url(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def _read(path: Path) -> dict[str, Any] | None:
    """What an earlier part of the run has written, or None where there is nothing to be believed."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        lengths = {len(found[name]) for name in ("steps", "logit_scales", "cosines")}
        return found if len(lengths) == 1 and isinstance(found["captions"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
