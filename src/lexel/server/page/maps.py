"""The map of the embeddings, made once on a thread of its own, with its progress meanwhile."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

import numpy as np
from PIL import Image

from lexel.curation.map_files import DrawnMap, drawn_map, map_of
from lexel.curation.space_map import Progress, draw_map
from lexel.encoder import Encoder
from lexel.errors import LexelError
from lexel.evaluation.classifier import label_embeddings
from lexel.library.library import Library
from lexel.server.page.samples import SceneSamples


@dataclass
class MapMaker:
    """Makes a map in the background when it is first asked for, and again when `version` has another value."""

    make: Callable[[Progress], DrawnMap]
    version: Callable[[], object]
    _busy: Lock = field(default_factory=Lock)
    _thread: Thread | None = None
    _made: DrawnMap | None = None
    _made_version: object = None
    _parts: list[str] = field(default_factory=list)
    _problem: str | None = None
    _began: float = 0.0

    def state(self) -> dict[str, Any]:
        """The map, or how far it is, or why there is none."""
        with self._busy:
            version = self.version()
            if self._made is not None and self._made_version == version:
                return {"state": "ready", "map": self._made.content}
            if self._thread is not None:
                return {"state": "working", "parts": self._parts, "seconds": time.monotonic() - self._began}
            if self._problem is not None and self._made_version == version:
                return {"state": "failed", "problem": self._problem}
            self._parts, self._problem, self._began = [], None, time.monotonic()
            self._thread = Thread(target=self._work, args=(version,), name="map", daemon=True)
            self._thread.start()
            return {"state": "working", "parts": [], "seconds": 0.0}

    def sheet(self, number: int) -> bytes | None:
        """A sheet of thumbnails of the map that is ready."""
        made = self._made
        return made.sheets[number] if made is not None and 0 <= number < len(made.sheets) else None

    def _work(self, version: object) -> None:
        made, problem = None, None
        try:
            made = self.make(self._parts.append)
        except LexelError as error:
            problem = str(error)
        except Exception:
            problem = "The map could not be made; the server's log says why."
            raise
        finally:
            with self._busy:
                self._made, self._problem, self._made_version, self._thread = made, problem, version, None


def library_maps(library: Library) -> MapMaker:
    """The map of a library's photos."""
    return MapMaker(lambda progress: map_of(library, progress), lambda: library.records.generation)


def scene_maps(encoder: Encoder, samples: SceneSamples) -> MapMaker:
    """The map of drawn scenes and their captions, in groups of what the model calls them."""

    def make(progress: Progress) -> DrawnMap:
        pairs = samples.pairs
        progress(f"Drawing and embedding {len(pairs)} scenes and their captions")
        images: list[Image.Image] = [pair.picture.load() for pair in pairs]
        vectors = encoder.embed_images(images)
        labels = sorted({pair.label for pair in pairs if pair.label})
        called = (vectors @ label_embeddings(encoder, labels, "scene").T).argmax(axis=1)
        order = np.argsort(called, kind="stable")
        groups = [((labels[label],), int((called == label).sum())) for label in np.unique(called)]
        captions = [pairs[row].captions[0] for row in order]
        progress("Arranging them so that neighbours stay together")
        space_map = draw_map(
            order,
            [pairs[row].captions[0] for row in order],
            vectors[order],
            groups,
            list(enumerate(captions)),
            encoder.embed_texts(captions),
        )
        progress("Putting the thumbnails together")
        return drawn_map(space_map, lambda id: images[id])

    return MapMaker(make, lambda: 0)
