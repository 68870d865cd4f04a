"""Naming what is in an image by comparing it with the labels' prompts, and measuring how often the name is right."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lexel.data.captions import fill
from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, ModelError, UsageError
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.labels import check_labels
from lexel.evaluation.metrics import (
    Metric,
    best_positions,
    confusion_matrix,
    mean_per_class,
    proportion,
    score_blocks,
    top_candidates,
)
from lexel.evaluation.prompts import templates as read_templates
from lexel.files import write_atomically
from lexel.unit_vectors import unit

if TYPE_CHECKING:
    from lexel.encoder import Encoder

GUESSES_KEPT = 5


def label_embeddings(encoder: Encoder, labels: Sequence[str], templates: str | Sequence[str] = "photo") -> np.ndarray:
    """One unit vector for each label: the mean of its prompts' embeddings. (L, D)"""
    sentences = read_templates(templates)
    prompts = [fill(template, label) for label in labels for template in sentences]
    vectors = encoder.embed_texts(prompts).reshape(len(labels), len(sentences), -1).mean(axis=1)
    return unit(vectors)


class ZeroShotClassifier:
    """Names images with labels of your choice; the labels are embedded once, here."""

    def __init__(self, encoder: Encoder, labels: Sequence[str], templates: str | Sequence[str] = "photo") -> None:
        check_labels(labels)
        self.encoder = encoder
        self.labels = tuple(labels)
        self.templates = read_templates(templates)
        self.vectors = label_embeddings(encoder, self.labels, self.templates)  # (L, D)

    def classify(self, images: Sequence[Any], top: int = 5) -> list[list[tuple[str, float]]]:
        """The `top` most probable (label, probability) for each image, best first. Raises BadImageError."""
        return self._rank(self.encoder.embed_images(images) if len(images) else np.zeros((0, 1)), top)

    def classify_readable(
        self, images: Sequence[Any], top: int = 5
    ) -> tuple[dict[int, list[tuple[str, float]]], dict[int, str]]:
        """The same by index for the images that can be read, and the reason by index for those that cannot."""
        vectors, kept, bad = self.encoder.embed_readable(images)
        return dict(zip(kept.tolist(), self._rank(vectors, top), strict=True)), dict(bad)

    def _rank(self, vectors: np.ndarray, top: int) -> list[list[tuple[str, float]]]:
        if top < 1:
            raise UsageError(f"top is {top}: ask for at least one label.")
        if not len(vectors):
            return []
        chances = self.encoder.probabilities_of(vectors @ self.vectors.T)
        order = np.argsort(-chances, axis=1, kind="stable")[:, :top]
        return [[(self.labels[i], float(row[i])) for i in best] for row, best in zip(chances, order, strict=True)]

    def save(self, path: str | Path) -> None:
        """Write the labels, templates and label embeddings to a safetensors file."""
        metadata = {
            "kind": "lexel zero-shot classifier",
            "labels": json.dumps(self.labels),
            "templates": json.dumps(self.templates),
            "fingerprint": self.encoder.fingerprint,
            "model": self.encoder.name,
        }
        write_atomically(Path(path), save({"label_embeddings": self.vectors}, metadata))

    @classmethod
    def load(cls, path: str | Path, encoder: Encoder) -> ZeroShotClassifier:
        """Read a saved classifier for the model that made it. Raises ModelError when `encoder` is another one."""
        vectors, metadata = _read_classifier(Path(path))
        if metadata["fingerprint"] != encoder.fingerprint:
            raise ModelError(
                f"{path} was made with {metadata['model']} (fingerprint {metadata['fingerprint']}), "
                f"not with {encoder.name} (fingerprint {encoder.fingerprint}).\n"
                "  Make the classifier anew with this model, or load the model that it belongs to."
            )
        classifier = cls.__new__(cls)
        classifier.encoder = encoder
        classifier.labels = tuple(json.loads(metadata["labels"]))
        classifier.templates = tuple(json.loads(metadata["templates"]))
        classifier.vectors = vectors
        return classifier


def _read_classifier(path: Path) -> tuple[np.ndarray, dict[str, str]]:
    if not path.is_file():
        raise UsageError(f"There is no classifier at {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            vectors = file.get_tensor("label_embeddings")
    except SafetensorError as error:
        raise ModelError(f"{path} is not a saved classifier, or it is damaged: {error}") from error
    if metadata.get("kind") != "lexel zero-shot classifier":
        raise ModelError(f"{path} is a safetensors file, but not one that ZeroShotClassifier.save wrote.")
    return vectors, metadata


@dataclass(frozen=True, slots=True)
class ZeroShotResult:
    """How often a model names images rightly. Rows are the images that were used, in the order of the source."""

    labels: list[str]  # the L candidates
    metrics: dict[str, Metric]  # top1, mean_per_class, and top5 when there are more than five labels
    per_class: dict[str, Metric]  # top-1 accuracy for each label that occurs
    counts: np.ndarray  # (L,) images of each label
    confusion: np.ndarray  # (L, L) true label × label said
    pairs: list[Pair]  # (N,)
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

    def worst_confusions(self, top: int = 20) -> list[tuple[str, str, int]]:
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
    templates: str | Sequence[str] = "photo",
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
            f"{embedded.source.name}: none of its images carries one of the {len(candidates)} labels given."
        )
    pairs = [embedded.pairs[i] for i in rows]
    images = embedded.vectors[rows]
    truth = np.array([column[str(pair.label)] for pair in pairs])
    vectors = label_embeddings(encoder, candidates, templates)

    positions = best_positions(images, vectors, truth[:, None].tolist())
    right = positions.hits_at(1)
    count = len(candidates)
    metrics = {"top1": proportion(right, 1 / count), "mean_per_class": mean_per_class(right, truth, 1 / count)}
    if count > 5:
        metrics["top5"] = proportion(positions.hits_at(5), 5 / count)
    guesses, probabilities = _guess(encoder, images, vectors)
    return ZeroShotResult(
        labels=candidates,
        metrics=metrics,
        per_class={candidates[i]: proportion(right[truth == i], 1 / count) for i in np.unique(truth)},
        counts=np.bincount(truth, minlength=count),
        confusion=confusion_matrix(truth, guesses[:, 0], count),
        pairs=pairs,
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
