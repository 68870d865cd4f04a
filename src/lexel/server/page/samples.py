"""Pictures to try a model on: photos of the library, or scenes that Lexel draws when there is none."""

import io
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from lexel.data.pairs import Pair
from lexel.data.readers import read_source
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.evaluation.report.overlap import training_overlap
from lexel.library.library import Library

SCENES = "scenes:480/test"  # combinations of colour and shape that no training or validation scene shows
SHOWN = 24  # sample pictures on the page


@dataclass(frozen=True)
class LibrarySamples:
    """Photos from all over the library."""

    library: Library

    def describe(self) -> dict[str, Any]:
        """The pictures as the page shows them, and a sentence on where they are from."""
        ids = self.library.vectors.ids
        chosen = ids[np.unique(np.linspace(0, len(ids) - 1, min(SHOWN, len(ids))).astype(np.int64))] if len(ids) else []
        photos = self.library.records.photos(chosen)
        pictures = [
            {"url": f"v1/photos/{photo.id}/thumbnail", "name": photo.name, "caption": _first_line(photo.caption)}
            for photo in photos
        ]
        return {"kind": "library", "about": "Photos from all over the library.", "pictures": pictures, "words": []}


@dataclass(frozen=True)
class SceneSamples:
    """Scenes of the test split, drawn when they are asked for."""

    encoder: Encoder

    @cached_property
    def pairs(self) -> list[Pair]:
        return list(read_source(SCENES).pairs)

    def describe(self) -> dict[str, Any]:
        pictures = [
            {"url": f"page/scenes/{number}", "name": f"scene {number}", "caption": pair.captions[0]}
            for number, pair in enumerate(self.pairs[:SHOWN])
        ]
        words = list(dict.fromkeys(pair.label for pair in self.pairs[:SHOWN] if pair.label))
        return {"kind": "scenes", "about": self._about(), "pictures": pictures, "words": words}

    def png(self, number: int) -> bytes:
        """The scene as a PNG. Raises UsageError for a number that there is not."""
        if not 0 <= number < len(self.pairs):
            raise UsageError(f"There are scenes 0 to {len(self.pairs) - 1}, not {number}.")
        return _png(self.pairs[number])

    def _about(self) -> str:
        overlap = training_overlap(self.encoder, [pair.picture for pair in self.pairs[:SHOWN]])
        if overlap is not None and overlap.judged and not overlap.known:
            return (
                "Scenes that Lexel draws. The model has learned from none of them; their combinations of colour and "
                "shape occur in no training scene or its captions."
            )
        return "Scenes that Lexel draws: coloured shapes on plain grounds."


@lru_cache(maxsize=512)
def _png(pair: Pair) -> bytes:
    content = io.BytesIO()
    pair.picture.load().save(content, "PNG")
    return content.getvalue()


def _first_line(caption: str | None) -> str | None:
    return caption.partition("\n")[0] if caption else None
