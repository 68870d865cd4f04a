"""Zero-shot classification: how often the label whose prompts are nearest to an image is the right one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, UsageError
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.metrics.metric import (
    Metric,
    best_positions,
    confusion_matrix,
    mean_per_class,
    proportion,
    score_blocks,
    top_candidates,
)
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.caveats import about_wide_interval, some
from lexel.evaluation.report.gallery import GRID_SIZE, rounded, varied
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import (
    Classes,
    ClassScore,
    Confusion,
    Counts,
    Gallery,
    Guess,
    NamedImage,
    Numbers,
    Paragraph,
    SimilarityGrid,
    TaskSection,
)
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.texts.label_structure import holds_several_labels
from lexel.evaluation.texts.labels import check_labels
from lexel.evaluation.texts.prompts import PromptsLike
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.encoder import Encoder

GUESSES_KEPT = 5
IMAGES_SHOWN = 12  # of hits, and of misses
MISTAKES_LISTED = 12
WORDS = {
    "top1": "Right at the first guess",
    "top5": "Right within five guesses",
    "mean_per_class": "Mean over classes",
}
EXPLANATION = "Drawn at random, from as many classes as there are. Under each its true label, then what the model said."


class ZeroShot:
    """The task: two labels or more, and images that carry them."""

    name = "zero_shot"
    needs = "two labels"

    def fits(self, wanted: TaskRequest) -> bool:
        return bool(wanted.source.labels) and len(wanted.candidates) >= 2

    def measure(self, given: TaskInput) -> TaskSection:
        result = zero_shot(given.encoder, given.embedded, given.prompts, given.labels)
        section = TaskSection(
            task=self.name,
            title="Naming what is in an image",
            headline=_headline(result),
            facts=(f"{len(result.labels):,} classes", *_about_wording(given, result)),
            warnings=(*_about_unsaid(given, result), *_about_cut_labels(given, result), *_warnings(result)),
            blocks=_blocks(result),
            method=(
                "The name whose embedding has the highest cosine with the image's is the model's guess.",
                "The mean over classes has an interval from 1,000 resamples of the images.",
            ),
            templates=given.templates,
            headline_metrics=["top1"],
        )
        return section.with_outcomes({name: Outcome(hits, result.rows) for name, hits in result.hits.items()})


@dataclass(frozen=True, slots=True)
class ZeroShotResult:
    """How often a model names images rightly. Rows are the images that were used, in the order of the source."""

    labels: list[str]  # the L candidates
    metrics: dict[str, Metric]  # top1, mean_per_class, and top5 when there are more than five labels
    hits: dict[str, np.ndarray]  # (N,) for top1 and top5: whether, or at ties how probably, the image was named rightly
    per_class: dict[str, Metric]  # top-1 accuracy for each label that occurs
    counts: np.ndarray  # (L,) images of each label
    confusion: np.ndarray  # (L, L) true label × label said
    pairs: list[Pair]  # (N,)
    rows: np.ndarray  # (N,) where they stand in the embedded source
    truth: np.ndarray  # (N,) column of the true label
    guesses: np.ndarray  # (N, up to 5) columns said, best first
    probabilities: np.ndarray  # like guesses
    image_vectors: np.ndarray  # (N, D)
    label_vectors: np.ndarray  # (L, D)
    unlabelled: int  # images left out because they have no label
    outside: dict[str, int]  # labels left out because they are not among the candidates, with their images

    @property
    def majority(self) -> tuple[str, float]:
        """The commonest label and the accuracy of always saying it."""
        return self.labels[int(self.counts.argmax())], float(self.counts.max() / self.counts.sum())

    def worst_confusions(self, top: int = MISTAKES_LISTED) -> list[tuple[str, str, int]]:
        """The commonest mistakes: (true label, what was said, how often)."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        order = np.argsort(-wrong, axis=None, kind="stable")[:top]
        cells = (np.unravel_index(cell, wrong.shape) for cell in order)
        return [
            (self.labels[true], self.labels[said], int(wrong[true, said])) for true, said in cells if wrong[true, said]
        ]


def zero_shot(
    encoder: Encoder,
    source: Source | EmbeddedSource,
    templates: PromptsLike = "photo",
    labels: Sequence[str] | None = None,
) -> ZeroShotResult:
    """Measure how often the true label is the nearest of `labels` (by default all that occur in the source)."""
    embedded = embed_source(encoder, source)
    candidates = (
        list(labels) if labels is not None else sorted({p.label for p in embedded.pairs if p.label is not None})
    )
    check_labels(candidates)
    if len(candidates) < 2:
        raise UsageError(f'{embedded.source.name} has only the label "{candidates[0]}": naming needs two or more.')
    column = {label: i for i, label in enumerate(candidates)}
    rows = [i for i, pair in enumerate(embedded.pairs) if pair.label in column]
    if not rows:
        raise DataError(
            f"{embedded.source.name}: none of its images carries one of the {counted(len(candidates), 'label')} given."
        )
    pairs = [embedded.pairs[i] for i in rows]
    images = embedded.vectors[rows]
    truth = np.array([column[str(pair.label)] for pair in pairs])
    vectors = label_embeddings(encoder, candidates, templates, embedded)

    positions = best_positions(images, vectors, truth[:, None].tolist())
    right = positions.hits_at(1)
    count = len(candidates)
    metrics = {"top1": proportion(right, 1 / count), "mean_per_class": mean_per_class(right, truth, 1 / count)}
    hits = {"top1": right}
    if count > 5:
        hits["top5"] = positions.hits_at(5)
        metrics["top5"] = proportion(hits["top5"], 5 / count)
    guesses, probabilities = _guess(encoder, images, vectors)
    return ZeroShotResult(
        labels=candidates,
        metrics=metrics,
        hits=hits,
        per_class={candidates[i]: proportion(right[truth == i], 1 / count) for i in np.unique(truth)},
        counts=np.bincount(truth, minlength=count),
        confusion=confusion_matrix(truth, guesses[:, 0], count),
        pairs=pairs,
        rows=np.array(rows),
        truth=truth,
        guesses=guesses,
        probabilities=probabilities,
        image_vectors=images,
        label_vectors=vectors,
        unlabelled=sum(pair.label is None for pair in embedded.pairs),
        outside=dict(Counter(p.label for p in embedded.pairs if p.label is not None and p.label not in column)),
    )


def _guess(encoder: Encoder, images: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    guesses, probabilities = [], []
    for _, cosines in score_blocks(images, vectors):
        best = top_candidates(cosines, GUESSES_KEPT, rng)
        guesses.append(best)
        probabilities.append(np.take_along_axis(encoder.probabilities_of(cosines), best, axis=1))
    return np.concatenate(guesses), np.concatenate(probabilities)


def _headline(result: ZeroShotResult) -> str:
    top1 = result.metrics["top1"]
    return (
        f"Names {len(result.labels):,} kinds of things right {percent(top1.value)} of the time ({interval(top1)}); "
        f"guessing would give {chance(top1)}."
    )


def _about_wording(given: TaskInput, result: ZeroShotResult) -> list[str]:
    said = sum(label in given.prompts.wording for label in result.labels)
    return [f"{counted(said, 'label')} said in words of their own"] if said else []


def _about_unsaid(given: TaskInput, result: ZeroShotResult) -> list[str]:
    unsaid = given.prompts.unsaid(result.labels)
    if not unsaid:
        return []
    return [
        f"The wording says nothing of {len(unsaid):,} of the {counted(len(result.labels), 'label')} ({some(unsaid)}): "
        "what it does not name was shown as it is."
    ]


def _about_cut_labels(given: TaskInput, result: ZeroShotResult) -> list[str]:
    prompts = given.prompts.of_all(result.labels)
    cut = given.encoder.count_truncated(prompts)
    if not cut:
        return []
    return [f"Longer than the model reads, and cut off at its end: {cut:,} of {counted(len(prompts), 'prompt')}."]


def _warnings(result: ZeroShotResult) -> list[str]:
    """Images left out, labels that do not occur, too few images, and results that may be luck."""
    said = []
    if result.unlabelled:
        said.append(f"{counted(result.unlabelled, 'image has', 'images have')} no label: left out of naming.")
    if result.outside:
        count = sum(result.outside.values())
        said.append(
            f"Left out, as their label is not to choose from: {counted(count, 'image')} ({some(result.outside)})."
        )
    absent = [label for label in result.labels if label not in result.per_class]
    if absent:
        said.append(
            f"{counted(len(absent), 'label to choose from occurs', 'labels to choose from occur')} in none of the "
            f"images ({some(absent)}): how well they are named is unknown."
        )
    if holds_several_labels(result.labels):
        said.append(
            "The labels look like several in one, and each combination was taken for a label of its own: measure them "
            "with --tasks multi-label."
        )
    top1 = result.metrics["top1"]
    said += about_wide_interval("Top-1 accuracy", top1, f"{len(result.pairs):,} labelled images")
    label, rate = result.majority
    if top1.low <= 1 / len(result.labels):
        said.append(
            f"Naming is not distinguishable from guessing: right {percent(top1.value)} of the time ({interval(top1)}), "
            f"by guessing {chance(top1)}."
        )
    elif top1.low <= rate:
        said.append(
            f'Always saying "{label}" would be right {percent(rate)} of the time: the model is not clearly better.'
        )
    return said


def _blocks(result: ZeroShotResult) -> list:
    label, rate = result.majority
    right = result.guesses[:, 0] == result.truth
    blocks = [
        Numbers(title=f"Of {counted(len(result.pairs), 'image')}", metrics=result.metrics, words=WORDS),
        Paragraph(text=f"Always saying “{label}”, the commonest label, would be right {percent(rate)} of the time."),
        Confusion(
            labels=result.labels,
            images=result.counts.tolist(),
            cells=[(int(i), int(j), int(result.confusion[i, j])) for i, j in np.argwhere(result.confusion)],
        ),
        Counts(
            title="The commonest mistakes",
            rows=[(f"{true} → {said}", count) for true, said, count in result.worst_confusions()],
        ),
        Classes(
            classes=[
                ClassScore(label=name, images=int(count), accuracy=result.per_class.get(name))
                for name, count in zip(result.labels, result.counts, strict=True)
            ]
        ),
    ]
    for title, rows in (("Named right", np.flatnonzero(right)), ("Named wrong", np.flatnonzero(~right))):
        images = [_named_image(result, row) for row in varied(rows, result.truth, IMAGES_SHOWN)]
        if images:
            blocks.append(Gallery(title=title, explanation=EXPLANATION, images=images))
    return [*blocks, _grid(result)]


def _named_image(result: ZeroShotResult, row: int) -> NamedImage:
    guesses = [
        Guess(text=result.labels[i], score=float(p), right=bool(i == result.truth[row]))
        for i, p in zip(result.guesses[row][:3], result.probabilities[row][:3], strict=True)
    ]
    return NamedImage(key=result.pairs[row].key, label=result.labels[result.truth[row]], guesses=guesses)


def _grid(result: ZeroShotResult) -> SimilarityGrid:
    """One image each of a few labels against the embeddings of these labels."""
    rows = varied(np.arange(len(result.pairs)), result.truth, min(GRID_SIZE, len(result.per_class)))
    columns = result.truth[rows]
    return SimilarityGrid(
        image_keys=[result.pairs[row].key for row in rows],
        texts=[result.labels[column] for column in columns],
        cosines=rounded(result.label_vectors[columns] @ result.image_vectors[rows].T),
    )
