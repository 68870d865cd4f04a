"""k-nearest neighbours: whether images of the same class lie beside each other, without anything being trained.

Each of the k nearest images votes for its class with the weight exp(cosine / 0.07), as in Wu et al. 2018 and DINO.
"""

from __future__ import annotations

import numpy as np

from lexel.evaluation.metrics.metric import best_positions, mean_per_class, proportion, score_blocks
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.caveats import about_wide_interval
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.learning.learning_data import LearningData, can_learn, learning_data
from lexel.evaluation.tasks.learning.probe import as_hits
from lexel.terminal import counted

NEIGHBOURS = 20
TEMPERATURE = 0.07
WORDS = {
    "top1": f"Right by the {NEIGHBOURS} nearest images",
    "nearest_top1": "Right by the nearest image alone",
    "mean_per_class": "Mean over classes",
}


class NearestNeighbours:
    """The task: two labels or more, with images to learn from."""

    name = "knn"
    needs = "two labels with two images each, or a training split"

    def fits(self, wanted: TaskRequest) -> bool:
        return can_learn(wanted)

    def measure(self, given: TaskInput) -> TaskSection:
        data = learning_data(given)
        best_positions(data.test_vectors[:1], data.vectors, [[0]])  # refuses embeddings that are not finite
        guess = 1 / len(data.labels)
        hits = {"top1": neighbour_hits(data, NEIGHBOURS), "nearest_top1": neighbour_hits(data, 1)}
        metrics = {name: proportion(values, guess) for name, values in hits.items()}
        known = data.test_classes >= 0
        metrics["mean_per_class"] = mean_per_class(hits["top1"][known], data.test_classes[known], guess)
        top1 = metrics["top1"]
        where = "of the training split" if data.folds is None else "of the other images"
        section = TaskSection(
            task=self.name,
            title="Naming by the nearest images (k-nearest neighbours)",
            headline=(
                f"The nearest images name {len(data.labels):,} kinds of things right {percent(top1.value)} of the time "
                f"({interval(top1)}); guessing would give {chance(top1)}."
            ),
            warnings=tuple(about_wide_interval("Nearest neighbours", top1, f"{len(data.test_vectors):,} test images")),
            blocks=[Numbers(title=f"Of {counted(len(data.test_vectors), 'image')}", metrics=metrics, words=WORDS)],
            method=(
                f"Nearest neighbours: each of the {NEIGHBOURS} nearest images {where} votes for its label with the "
                f"weight exp(cosine / {TEMPERATURE}).",
            ),
            headline_metrics=["top1"],
        )
        return section.with_outcomes({name: Outcome(values, data.test_rows) for name, values in hits.items()})


def neighbour_hits(data: LearningData, k: int) -> np.ndarray:
    """(N,) whether the vote of the k nearest names each test image rightly; an image is no neighbour of itself."""
    found = np.zeros(len(data.test_vectors))
    for rows, cosines in score_blocks(data.test_vectors, data.vectors):
        if data.folds is not None:  # the test images are those to learn from
            cosines[np.arange(len(cosines)), np.arange(rows.start, rows.stop)] = -np.inf
        count = min(k, data.vectors.shape[0] - (data.folds is not None))
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        weights = np.exp(np.take_along_axis(cosines, nearest, axis=1).astype(np.float64) / TEMPERATURE)
        votes = np.zeros((len(cosines), len(data.labels)))
        np.add.at(votes, (np.arange(len(cosines))[:, None], data.classes[nearest]), weights)
        found[rows] = as_hits(votes, data.test_classes[rows])
    return found
