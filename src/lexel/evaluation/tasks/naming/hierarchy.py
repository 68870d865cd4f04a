"""Labels that are paths ("animal/dog"): how often the guess is right at every level, from general to special.

The guess is the nearest of the most special names, as in zero-shot; a dog taken for a wolf is still right as an animal.
"""

from __future__ import annotations

import numpy as np

from lexel.evaluation.metrics.metric import Metric, proportion, score_blocks, top_candidates
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.phrases import interval, percent
from lexel.evaluation.report.sections import Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.texts.label_structure import is_hierarchy, label_path
from lexel.terminal import counted
from lexel.unit_vectors import unit


class Hierarchy:
    """The task: labels of which most are paths, with a first level that several share."""

    name = "hierarchy"
    needs = 'labels that are paths, such as "animal/dog"'

    def fits(self, wanted: TaskRequest) -> bool:
        return is_hierarchy(wanted.candidates) and bool(set(wanted.candidates) & set(wanted.source.labels))

    def measure(self, given: TaskInput) -> TaskSection:
        pairs = given.embedded.pairs
        occurring = sorted({pair.label for pair in pairs if pair.label is not None})
        labels = list(given.labels) if given.labels is not None else occurring
        column = {label: i for i, label in enumerate(labels)}
        rows = np.array([row for row, pair in enumerate(pairs) if pair.label in column])
        truth = np.array([column[str(pairs[row].label)] for row in rows])
        paths = [label_path(label) for label in labels]
        texts = _text_vectors(given, paths)
        said = _guesses(given.embedded.vectors[rows], texts)
        depth = max(map(len, paths))
        hits = {f"level_{level}": _right_at(paths, truth, said, level) for level in range(1, depth)}
        hits["exact"] = (truth == said).astype(float)
        metrics = {name: proportion(values, _chance(paths, truth, name)) for name, values in hits.items()}
        first, exact = metrics["level_1"], metrics["exact"]
        section = TaskSection(
            task=self.name,
            title="Naming level by level (hierarchy)",
            headline=(
                f"The guess is of the right top-level kind {percent(first.value)} of the time ({interval(first)}), and "
                f"exactly right {percent(exact.value)} ({interval(exact)})."
            ),
            facts=(f"{len({path[0] for path in paths}):,} top-level kinds",),
            blocks=[Numbers(title=f"Of {counted(len(rows), 'image')}", metrics=metrics, words=_words(metrics))],
            method=(
                "Hierarchy: the guess is the nearest of the most special names; a level counts as right when the guess "
                "and the truth share all names down to it.",
            ),
            templates=given.templates,
            headline_metrics=["level_1", "exact"],
        )
        return section.with_outcomes({name: Outcome(values, rows) for name, values in hits.items()})


def _text_vectors(given: TaskInput, paths: list[tuple[str, ...]]) -> np.ndarray:
    """One vector for each path: of its most special name, together with the whole path where two share that name."""
    names = [path[-1] for path in paths]
    spoken = [name if names.count(name) == 1 else " ".join(path) for name, path in zip(names, paths, strict=True)]
    return unit(given.embed_labels(spoken))


def _guesses(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.concatenate([top_candidates(cosines, 1, random)[:, 0] for _, cosines in score_blocks(images, texts)])


def _right_at(paths: list[tuple[str, ...]], truth: np.ndarray, said: np.ndarray, level: int) -> np.ndarray:
    """(N,) whether truth and guess share the first `level` names; a shorter path is compared whole."""
    return np.array([float(paths[t][:level] == paths[s][:level]) for t, s in zip(truth, said, strict=True)])


def _chance(paths: list[tuple[str, ...]], truth: np.ndarray, name: str) -> float:
    """The share of random guesses that would be right."""
    if name == "exact":
        return 1 / len(paths)
    level = int(name.removeprefix("level_"))
    starts = [path[:level] for path in paths]
    share = np.array([starts.count(start) / len(starts) for start in starts])
    return float(share[truth].mean())


def _words(metrics: dict[str, Metric]) -> dict[str, str]:
    levels = {name: f"Right down to level {name.removeprefix('level_')}" for name in metrics if name != "exact"}
    return levels | {"exact": "Exactly right"}
