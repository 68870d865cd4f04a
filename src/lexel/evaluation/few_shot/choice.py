"""How far to go from the text embeddings: the strengths of head and cache, chosen by cross-validation.

Each example is answered by what was learned without its fold. What is expected of new images is measured by choosing
once more for each fold, by the answers to the other folds: the best of many choices looks better on what it was chosen
by than it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lexel.evaluation.few_shot.example_cache import class_affinities
from lexel.evaluation.few_shot.folds import few_of_each, stratified_folds
from lexel.evaluation.few_shot.text_head import fit_text_head

PENALTIES = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # of the head, from staying to going far
SHARPNESSES = (1.0, 3.0, 10.0, 30.0)  # of the cache's affinities
WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0)  # of the cache's affinities, in logits
TEXT_FACTORS = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)  # of the zero-shot logits
MAX_FOLDS = 5
MAX_CHOOSING_IMAGES = 4000  # examples that the strengths are chosen on; more change them by less than their steps
STANDARD_ERRORS = 1.0  # by which learning has to beat zero-shot on the examples, or it is not used


@dataclass(frozen=True, slots=True)
class Strengths:
    """How much is learned: nothing, where all is None."""

    penalty: float | None = None  # of the head
    sharpness: float | None = None  # of the cache
    weight: float | None = None  # of the cache, in logits
    texts: float = 1.0  # factor of the zero-shot logits that the rest is added to

    @property
    def none(self) -> bool:
        return self.penalty is None and self.weight is None


CACHES = ((None, None), *((sharpness, weight) for sharpness in SHARPNESSES for weight in WEIGHTS))
# All that are tried: zero-shot first, and of each penalty the head alone first.
CANDIDATES = [Strengths(penalty, *cache) for penalty in (None, *PENALTIES) for cache in CACHES]


@dataclass(frozen=True, slots=True)
class ChosenStrengths:
    """What was chosen, and what it got right of examples that it had not learned from."""

    strengths: Strengths
    hits: np.ndarray  # (K,) of the examples that were answered
    zero_shot_hits: np.ndarray  # (K,) of the same ones


def text_factor(vectors: np.ndarray, classes: np.ndarray, texts: np.ndarray, scale: float) -> float:
    """How far the texts are to be believed: the factor of the zero-shot logits that makes the examples likeliest.

    The texts have learned nothing from the examples, so these may be asked. Below 1 where the words fit badly and the
    model is too sure of them; where it is near 0 what remains is a plain probe. Never above 1.
    """
    known = scale * (vectors @ texts.T)
    losses = [float(_losses(factor * known, classes).mean()) for factor in TEXT_FACTORS]
    return TEXT_FACTORS[int(np.argmin(losses))]


def choose_strengths(
    vectors: np.ndarray, classes: np.ndarray, texts: np.ndarray, scale: float, seed: int
) -> ChosenStrengths:
    """Choose for examples (M, D) with classes (M,); texts (L, D) of unit length.

    The only example of a class is learned from and never asked for: without it nothing would be known of its class.
    """
    rows = few_of_each(np.arange(len(classes)), classes, max(2, MAX_CHOOSING_IMAGES // len(np.unique(classes))), seed)
    vectors, classes = vectors[rows], classes[rows]
    sizes = np.bincount(classes, minlength=len(texts))
    asked = sizes[classes] >= 2
    if not asked.any():
        return ChosenStrengths(Strengths(), np.zeros(0), np.zeros(0))
    count = int(np.clip(np.median(sizes[sizes >= 2]), 2, MAX_FOLDS))
    folds = np.where(asked, stratified_folds(np.where(asked, classes, len(texts)), count, seed), -1)
    hits = np.zeros((len(CANDIDATES), len(classes)))
    losses = np.zeros(hits.shape)
    for fold in range(count):
        held = folds == fold
        answers = _answers(vectors[~held], classes[~held], vectors[held], texts, scale)
        for number, logits in enumerate(answers):
            hits[number, held], losses[number, held] = (
                first_place(logits, classes[held]),
                _losses(logits, classes[held]),
            )
    hits, losses, folds = hits[:, asked], losses[:, asked], folds[asked]
    best = _best(hits, losses)
    apart = np.empty(hits.shape[1])
    for fold in range(count):
        held = folds == fold
        apart[held] = hits[_best(hits[:, ~held], losses[:, ~held]), held]
    return ChosenStrengths(CANDIDATES[best], apart, hits[0])


def _answers(
    vectors: np.ndarray, classes: np.ndarray, asked: np.ndarray, texts: np.ndarray, scale: float
) -> Iterator[np.ndarray]:
    """The logits (K, L) of the images `asked` with each of the candidates, in their order."""
    known = scale * (asked @ texts.T)
    affinities = {s: class_affinities(asked, vectors, classes, s, len(texts)) for s in SHARPNESSES}
    head, differences = known, None
    for strengths in CANDIDATES:
        if strengths.sharpness is None or strengths.weight is None:
            if strengths.penalty is not None:
                differences = fit_text_head(vectors, classes, texts, scale, strengths.penalty, differences)
                head = known + asked @ differences.T
            yield head
        else:
            yield head + strengths.weight * affinities[strengths.sharpness]


def first_place(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(K,) whether the true class is the first of logits (K, L); a part of 1 where it shares that place."""
    best = logits == logits.max(axis=1, keepdims=True)
    return best[np.arange(len(logits)), classes] / best.sum(axis=1)


def _losses(logits: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(K,) the log losses of logits (K, L)."""
    highest = logits.max(axis=1)
    right = logits[np.arange(len(logits)), classes]
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)) - right


def _best(hits: np.ndarray, losses: np.ndarray) -> int:
    """The candidate of the most hits, of several the least loss; 0 where it does not beat zero-shot beyond noise."""
    best = int(np.lexsort((losses.sum(axis=1), -hits.sum(axis=1)))[0])
    gain = hits[best] - hits[0]
    error = gain.std() / max(1, len(gain)) ** 0.5
    return best if gain.mean() > STANDARD_ERRORS * error else 0
