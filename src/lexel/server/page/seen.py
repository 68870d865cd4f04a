"""What a library's model sees in one of its photos: the words and the library's own captions that fit it best."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from lexel.curation.group_names import VOCABULARY
from lexel.evaluation.classifier import ZeroShotClassifier
from lexel.evaluation.matching import Generic, generic_of
from lexel.library.library import Library
from lexel.library.search.strength import in_words, matches, sample_of

SHOWN_LABELS, SHOWN_CAPTIONS = 6, 3
MAX_TAGS, MAX_CAPTIONS = 300, 300  # of the library, that are tried
PHOTOS_READ = 2000  # for their tags and captions
MIN_MATCH = 0.1  # of what is shown
PRIOR = 0.5  # the share of true pairs: each label is judged for itself, as `ZeroShotClassifier.judge` does
TEMPLATES = ("a {}", "a picture of a {}", "a photo of a {}")
ARTICLES = ("a ", "an ", "the ")


@dataclass(frozen=True)
class _TriedWords:
    generation: int
    labels: list[str]
    label_vectors: np.ndarray  # (L, D) means of their prompts' embeddings, of at most unit length
    captions: list[str]
    caption_vectors: np.ndarray  # (C, D)
    generic: Generic | None  # for a model without calibration


class Seen:
    """Embeds the words once, and again when the library has changed."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._words: _TriedWords | None = None
        self._busy = Lock()

    def of(self, id: int) -> dict[str, Any]:
        """The labels and captions that fit a photo best, with their matches. Raises UsageError for no such photo."""
        photo = self._library.records.photo(id)
        _, vectors = self._library.records.vectors([id])
        if not len(vectors):
            return {"labels": [], "captions": []}
        vector = vectors[0].astype(np.float32)
        words = self._current()
        own = set((photo.caption or "").splitlines())
        return {
            "labels": self._best(words.labels, words.label_vectors, vector, words, SHOWN_LABELS, set()),
            "captions": self._best(words.captions, words.caption_vectors, vector, words, SHOWN_CAPTIONS, own),
        }

    def _best(
        self,
        texts: list[str],
        vectors: np.ndarray,
        photo: np.ndarray,
        words: _TriedWords,
        count: int,
        left_out: set[str],
    ) -> list[dict[str, Any]]:
        if not texts:
            return []
        cosines = vectors @ photo
        photos = np.broadcast_to(photo, (len(texts), len(photo)))
        found = matches(cosines, photos, self._library.encoder.calibration, words.generic, PRIOR)
        if found is None:
            return []
        best = [i for i in np.argsort(-cosines).tolist() if texts[i] not in left_out and found[i] >= MIN_MATCH][:count]
        return [{"text": texts[i], "match": float(found[i]), "strength": in_words(float(found[i]))} for i in best]

    def _current(self) -> _TriedWords:
        with self._busy:
            generation = self._library.records.generation
            if self._words is None or self._words.generation != generation:
                self._words = self._read(generation)
            return self._words

    def _read(self, generation: int) -> _TriedWords:
        library, encoder = self._library, self._library.encoder
        ids = library.vectors.ids
        photos = library.records.photos(ids[:: max(1, len(ids) // PHOTOS_READ)])
        tags = dict.fromkeys(tag for photo in photos for tag in photo.tags)
        captions = list(dict.fromkeys(photo.caption.partition("\n")[0] for photo in photos if photo.caption))
        captions = captions[:: max(1, -(-len(captions) // MAX_CAPTIONS))]
        labels = list(dict.fromkeys([*list(tags)[:MAX_TAGS], *map(_bare, VOCABULARY)]))
        named = ZeroShotClassifier(encoder, labels, TEMPLATES)
        calibrated = encoder.calibration is not None
        return _TriedWords(
            generation,
            labels,
            named.vectors * named.agreement[:, None],
            captions,
            encoder.embed_texts(captions) if captions else np.zeros((0, library.records.dimensions), np.float32),
            None if calibrated else generic_of(encoder, sample_of(library.vectors, ids)),
        )


def _bare(phrase: str) -> str:
    """The phrase without its article, which the templates have."""
    return next((phrase.removeprefix(article) for article in ARTICLES if phrase.startswith(article)), phrase)
