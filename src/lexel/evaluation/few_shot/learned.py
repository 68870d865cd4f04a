"""What labelled examples have taught a classifier beside the texts of its labels, and what accuracy to expect of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from lexel.evaluation.few_shot.choice import ChosenStrengths, Strengths, choose_strengths, first_place, text_factor
from lexel.evaluation.few_shot.example_cache import class_affinities
from lexel.evaluation.few_shot.text_head import fit_text_head
from lexel.evaluation.metrics.metric import Metric, proportion

SINGLE_PENALTY = 0.3  # where every class has a single example, and none can be kept apart (docs/fine-tuning.md)


@dataclass(frozen=True, slots=True)
class Learned:
    """The head and the cache of examples. Both are empty where nothing was learned that is better than zero-shot."""

    strengths: Strengths
    differences: np.ndarray  # (L, D) of the head's weights from the text embeddings, in logits
    examples: np.ndarray  # (M, D) of the cache
    classes: np.ndarray  # (M,) of the cache's examples
    zero_shot: Metric  # on the examples
    expected: Metric | None  # of new images like the examples; None where no example could be kept apart
    counts: tuple[int, int, int]  # examples, classes with an example, classes

    def logits(self, vectors: np.ndarray, known: np.ndarray) -> np.ndarray:
        """(N, L) of images (N, D) whose zero-shot logits are `known` (N, L)."""
        found = self.strengths.texts * known.astype(np.float64)
        if self.strengths.penalty is not None:
            found += vectors @ self.differences.T
        if self.strengths.sharpness is not None and self.strengths.weight is not None:
            count = known.shape[1]
            affinities = class_affinities(vectors, self.examples, self.classes, self.strengths.sharpness, count)
            found += self.strengths.weight * affinities
        return found

    def facts(self) -> dict[str, object]:
        """What was chosen and what to expect, for programs."""
        return {
            "strengths": asdict(self.strengths),
            "expected": self.expected.model_dump() if self.expected else None,
            "zero_shot": self.zero_shot.model_dump(),
            "counts": list(self.counts),
        }

    def tensors(self) -> dict[str, np.ndarray]:
        """All that the safetensors file holds of it, beside `facts`."""
        return {"head": self.differences, "examples": self.examples, "example_classes": self.classes}

    @classmethod
    def read(cls, facts: str, tensors: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> Learned:
        """From the file of a classifier whose label embeddings have this shape. Raises ValueError for what is amiss."""
        said = json.loads(facts)
        found = cls(
            strengths=Strengths(**said["strengths"]),
            differences=tensors["head"],
            examples=tensors["examples"],
            classes=tensors["example_classes"],
            zero_shot=Metric.model_validate(said["zero_shot"]),
            expected=Metric.model_validate(said["expected"]) if said["expected"] else None,
            counts=tuple(said["counts"]),
        )
        fitting = (
            found.differences.shape == shape
            and found.examples.ndim == 2
            and found.examples.shape[1] == shape[1]
            and found.classes.shape == (len(found.examples),)
            and ((found.classes >= 0) & (found.classes < shape[0])).all()
            and all(np.isfinite(array).all() for array in (found.differences, found.examples))
        )
        if not fitting:
            raise ValueError("what it has learned does not fit its labels")
        return found


def learn(vectors: np.ndarray, classes: np.ndarray, texts: np.ndarray, scale: float, seed: int = 0) -> Learned:
    """Learn from examples (M, D), one at least, with classes (M,), beside the texts (L, D) of all classes.

    The same example twice counts once, or it would be asked for what it has taught.
    """
    order = np.unique(np.column_stack([classes, vectors]), axis=0, return_index=True)[1]
    vectors, classes = vectors[np.sort(order)], classes[np.sort(order)]
    choice = choose_strengths(vectors, classes, texts, scale, seed)
    strengths = choice.strengths
    if not len(choice.hits) and len(vectors) > 1:
        strengths = Strengths(SINGLE_PENALTY, texts=text_factor(vectors, classes, texts, scale))
    differences = np.zeros(texts.shape, np.float32)
    if strengths.penalty is not None:
        differences = fit_text_head(vectors, classes, texts, strengths.texts * scale, strengths.penalty)
    cached = np.arange(len(vectors) if strengths.weight is not None else 0)
    zero_shot, expected = _metrics(choice, vectors, classes, texts)
    return Learned(
        strengths=strengths,
        differences=differences,
        examples=vectors[cached].astype(np.float32),
        classes=classes[cached].astype(np.int64),
        zero_shot=zero_shot,
        expected=expected,
        counts=(len(vectors), len(np.unique(classes)), len(texts)),
    )


def _metrics(
    choice: ChosenStrengths, vectors: np.ndarray, classes: np.ndarray, texts: np.ndarray
) -> tuple[Metric, Metric | None]:
    """Of zero-shot and of what was learned, on the same examples where some could be kept apart."""
    chance = 1 / len(texts)
    if len(choice.hits):
        return proportion(choice.zero_shot_hits, chance), proportion(choice.hits, chance)
    return proportion(first_place(vectors @ texts.T, classes), chance), None
