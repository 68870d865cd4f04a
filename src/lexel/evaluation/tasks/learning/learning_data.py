"""Images with labels to learn from and images to test on, for tasks that train something on frozen embeddings.

Where there is a training split, everything is learned there. Else the source itself is cut into folds, and each image
is answered by what was learned from the other folds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lexel.data.pairs import Source
from lexel.evaluation.few_shot.folds import few_of_each, stratified_folds
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

FOLDS = 5  # of a source without a training split; also the number of draws of a few shots
VALIDATION_SHARE = 0.2  # of what is learned from, to choose a penalty on


@dataclass(frozen=True, slots=True)
class LearningData:
    """Embeddings to learn from and to test on. Without a training split both are the same images."""

    labels: list[str]  # the classes, sorted
    vectors: np.ndarray  # (M, D) to learn from
    classes: np.ndarray  # (M,)
    test_vectors: np.ndarray  # (N, D)
    test_classes: np.ndarray  # (N,); −1 for a label that nothing can be learned of
    test_rows: np.ndarray  # (N,) positions in the embedded source
    folds: np.ndarray | None  # (M,) fold of each image where both are the same, else None
    left_out: int  # labelled images that are the only ones of their class, where there is no training split
    seed: int

    def rounds(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows to learn from, test rows to answer): one round with a training split, else one for each fold."""
        if self.folds is None:
            yield np.arange(len(self.vectors)), np.arange(len(self.test_vectors))
            return
        for fold in range(FOLDS):
            yield np.flatnonzero(self.folds != fold), np.flatnonzero(self.folds == fold)

    def draws(self, shots: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows with `shots` random images of each class, test rows): FOLDS draws, with folds one for each fold."""
        everything = list(self.rounds())
        for draw in range(FOLDS):
            rows, tests = everything[draw % len(everything)]
            yield few_of_each(rows, self.classes[rows], shots, self.seed + draw), tests

    @property
    def class_sizes(self) -> np.ndarray:
        """The images to learn from of each class, in the first round. (C,)"""
        rows, _ = next(self.rounds())
        return np.bincount(self.classes[rows], minlength=len(self.labels))

    @property
    def origin(self) -> str:
        """Where was learned, as a sentence for the report."""
        if self.folds is None:
            return f"Learned from {counted(len(self.vectors), 'image')} of the training split; tested on all others."
        return (
            f"There is no training split: the images were cut into {FOLDS} folds, and each was answered by what was "
            "learned from the other folds."
        )


def can_learn(wanted: TaskRequest) -> bool:
    """Whether two classes of the source can be learned, from its training split or from the rest of itself."""
    counts = Counter(pair.label for pair in wanted.source.pairs if pair.label is not None)
    return len(_learnable(wanted.training, counts)) >= 2 or sum(count >= 2 for count in counts.values()) >= 2


def learning_data(given: TaskInput) -> LearningData:
    """The embeddings of a source that `can_learn`."""
    embedded = given.embedded
    counts = Counter(pair.label for pair in embedded.pairs if pair.label is not None)
    rows = np.array([row for row, pair in enumerate(embedded.pairs) if pair.label is not None])
    training = given.embedded_training() if len(_learnable(given.request.training, counts)) >= 2 else None
    pairs = training.pairs if training is not None else [embedded.pairs[row] for row in rows]
    vectors = training.vectors if training is not None else embedded.vectors[rows]
    learned = Counter(pair.label for pair in pairs if pair.label is not None)
    least = 1 if training is not None else 2  # one to learn from and one to test
    labels = sorted(label for label, count in learned.items() if count >= least)
    column = {label: i for i, label in enumerate(labels)}
    kept = [row for row, pair in enumerate(pairs) if pair.label in column]
    classes = np.array([column[str(pairs[row].label)] for row in kept])
    labelled = len(rows)
    if training is None:  # images of classes that cannot be learned stay out of the folds
        rows = rows[kept]
    test_classes = np.array([column.get(str(embedded.pairs[row].label), -1) for row in rows])
    return LearningData(
        labels=labels,
        vectors=vectors[kept],
        classes=classes,
        test_vectors=embedded.vectors[rows],
        test_classes=test_classes,
        test_rows=rows,
        folds=stratified_folds(classes, FOLDS, given.seed) if training is None else None,
        left_out=labelled - len(rows),
        seed=given.seed,
    )


def _learnable(training: Source | None, counts: Counter) -> set[str]:
    """The labels of the source that its training split has too."""
    if training is None:
        return set()
    return {pair.label for pair in training.pairs if pair.label is not None and pair.label in counts}
