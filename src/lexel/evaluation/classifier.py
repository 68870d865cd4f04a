"""Naming what is in an image by comparing it with the prompts of labels (zero-shot classification)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from lexel.data.captions import fill
from lexel.errors import ModelError, UsageError
from lexel.evaluation.labels import check_labels
from lexel.evaluation.prompts import templates as read_templates
from lexel.files import write_atomically
from lexel.unit_vectors import unit

if TYPE_CHECKING:
    from lexel.encoder import Encoder


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
                "  Make the classifier again with this model, or load the model that it belongs to."
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
