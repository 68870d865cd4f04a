"""Naming what is in an image by comparing it with the prompts of labels (zero-shot classification).

A classifier may learn from labelled images beside that (`few_shot`), and is then never far from where it began.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open

from lexel.errors import ModelError, UsageError, did_you_mean
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.few_shot.learned import Learned, learn
from lexel.evaluation.matching import match_of
from lexel.evaluation.ranking import JudgedText
from lexel.evaluation.texts.labels import check_labels
from lexel.evaluation.texts.prompts import Prompts, PromptsLike, read_prompts
from lexel.evaluation.texts.wording import WordingLike
from lexel.files import write_atomically
from lexel.safetensors_bytes import safetensors_bytes
from lexel.terminal import counted
from lexel.unit_vectors import check_finite, unit

if TYPE_CHECKING:
    from lexel.encoder import Encoder
    from lexel.encoder_inputs import ImageLike


def label_embeddings(
    encoder: Encoder,
    labels: Sequence[str],
    templates: PromptsLike = "photo",
    embedded: EmbeddedSource | None = None,
) -> np.ndarray:
    """One unit vector for each label: the mean of its prompts' embeddings. (L, D)

    With `embedded` the prompts' embeddings are kept there, for whatever asks for the same ones.
    """
    embed = encoder.embed_texts if embedded is None else partial(embedded.embed_texts, encoder)
    return unit(_prompt_means(embed, labels, read_prompts(templates)))


def _prompt_means(embed: Callable[[Sequence[str]], np.ndarray], labels: Sequence[str], prompts: Prompts) -> np.ndarray:
    """The mean of the embeddings of each label's prompts, not of unit length. (L, D)"""
    sentences = [prompts.of(label) for label in labels]
    counts = np.array([len(each) for each in sentences])
    vectors = embed([sentence for each in sentences for sentence in each])
    sums = np.add.reduceat(vectors, np.cumsum(counts) - counts, axis=0)
    return sums / counts[:, None].astype(np.float32)


ZERO_SHOT, FEW_SHOT = "lexel zero-shot classifier", "lexel few-shot classifier"  # kinds of files


class ZeroShotClassifier:
    """Names images with labels of your choice; the labels are embedded once, here.

    `templates` are a family's name, a file or sentences with {} for the label. `wording` says what each label is called
    or looks like: `{"crane": {"names": ["crane bird"], "descriptions": ["long legs"]}}`, or a file of that.

    Example:
        classifier = lexel.ZeroShotClassifier(encoder, ["cat", "dog"])
        classifier.classify(["a.jpg", "b.jpg"], top=1)          # [[("dog", 0.93)], [("cat", 0.71)]]
        classifier.fit(["c.jpg", "d.jpg", …], ["cat", "dog", …]).expected   # the accuracy to expect from now on
    """

    learned: Learned | None = None  # from examples

    def __init__(
        self,
        encoder: Encoder,
        labels: Sequence[str],
        templates: PromptsLike = "photo",
        wording: WordingLike | None = None,
    ) -> None:
        check_labels(labels)
        self.encoder = encoder
        self.labels = tuple(labels)
        prompts = read_prompts(templates, wording)
        prompts.unsaid(self.labels)  # refuses words for other labels
        self.templates = prompts.templates
        self.prompts = prompts.of_all(self.labels)  # the sentences in which the model saw the labels
        means = _prompt_means(encoder.embed_texts, self.labels, prompts)
        self.vectors = unit(means)  # (L, D)
        self.agreement = np.linalg.norm(means, axis=1)  # (L,) of a label's prompts with each other, up to 1

    def classify(self, images: Sequence[ImageLike], top: int = 5) -> list[list[tuple[str, float]]]:
        """The `top` most probable (label, probability) for each image, best first. Raises BadImageError.

        The probabilities compare the labels given and say nothing of others; `judge` says whether a label fits.
        """
        vectors = self.encoder.embed_images(images) if len(images) else np.zeros((0, 1))
        return [[(judged.text, judged.probability) for judged in row] for row in self._rank(vectors, top)]

    def judge(self, images: Sequence[ImageLike], top: int = 5) -> tuple[dict[int, list[JudgedText]], dict[int, str]]:
        """The `top` labels by index for the images that can be read, and the reason by index for those that cannot.

        Each label comes with its match: the mean over its prompts of the cosine, as a probability that it fits.
        """
        vectors, kept, bad = self.encoder.embed_readable(images)
        check_finite(vectors, [f"image {index + 1}" for index in kept], self.encoder.name)
        return dict(zip(kept.tolist(), self._rank(vectors, top), strict=True)), dict(bad)

    def fit(self, images: Sequence[ImageLike], labels: Sequence[str]) -> Learned | None:
        """Learn from images with their labels, and say what accuracy to expect of new images like them.

        What was learned before is forgotten; without images the classifier is zero-shot again, and None comes back.
        The weights begin at the label embeddings, and cross-validation says how far to go from there: nowhere, if that
        is best. Afterwards probabilities are a softmax over the labels for any model, and `match` still says how well
        the words fit. Raises UsageError for a label that is not one of the classifier's, BadImageError.
        """
        self._columns(labels, len(images))  # before the images are embedded
        return self.fit_vectors(self.encoder.embed_images(images) if len(images) else np.zeros((0, 1)), labels)

    def fit_vectors(self, vectors: np.ndarray, labels: Sequence[str]) -> Learned | None:
        """`fit` on unit vectors (N, D) of images that this classifier's encoder has embedded already."""
        columns = self._columns(labels, len(vectors))
        self.learned = learn(vectors, columns, self.vectors, self.encoder.logit_scale) if len(vectors) else None
        return self.learned

    def _columns(self, labels: Sequence[str], images: int) -> np.ndarray:
        """(N,) which of the classifier's labels each is."""
        if isinstance(labels, str) or len(labels) != images:
            raise UsageError(
                f"There are {counted(images, 'image')} and {counted(len(labels), 'label')}: give one for each."
            )
        column = {label: number for number, label in enumerate(self.labels)}
        for number, label in enumerate(labels, start=1):
            if label not in column:
                raise UsageError(
                    f'The label of image {number}, "{label}", is not one of the {counted(len(self.labels), "label")} '
                    f"of the classifier.{did_you_mean(label, self.labels)}"
                )
        return np.array([column[label] for label in labels], np.int64)

    def _chances(self, vectors: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """(N, L) probabilities of the labels."""
        if self.learned is None or self.learned.strengths.none:
            return self.encoder.probabilities_of(cosines)
        logits = self.learned.logits(vectors, self.encoder.logit_scale * cosines)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def _rank(self, vectors: np.ndarray, top: int) -> list[list[JudgedText]]:
        if top < 1:
            raise UsageError(f"top is {top}: ask for at least one label.")
        if not len(vectors):
            return []
        cosines = vectors @ self.vectors.T
        chances = self._chances(vectors, cosines)
        matches = match_of(self.encoder, vectors, cosines * self.agreement)
        order = np.argsort(-chances, axis=1, kind="stable")[:, :top]
        return [
            [JudgedText(self.labels[i], float(chances[row, i]), float(matches[row, i])) for i in best]
            for row, best in enumerate(order)
        ]

    def save(self, path: str | Path) -> None:
        """Write labels, templates, label embeddings and what was learned to a safetensors file."""
        metadata = {
            "kind": FEW_SHOT if self.learned else ZERO_SHOT,
            "labels": json.dumps(self.labels),
            "templates": json.dumps(self.templates),
            "prompts": json.dumps(self.prompts),
            "fingerprint": self.encoder.fingerprint,
            "model": self.encoder.name,
        }
        tensors = {"label_embeddings": self.vectors, "prompt_agreement": self.agreement}
        if self.learned:
            metadata["learned"] = json.dumps(self.learned.facts())
            tensors |= self.learned.tensors()
        write_atomically(Path(path), safetensors_bytes(tensors, metadata))

    @classmethod
    def load(cls, path: str | Path, encoder: Encoder) -> ZeroShotClassifier:
        """Read a saved classifier for the model that made it. Raises ModelError when `encoder` is another one."""
        tensors, metadata = _read_classifier(Path(path))
        if metadata["fingerprint"] != encoder.fingerprint:
            raise ModelError(
                f"{path} was made with {metadata['model']} (fingerprint {metadata['fingerprint']}), "
                f"not with {encoder.name} (fingerprint {encoder.fingerprint}).\n"
                "  Make the classifier again with this model, or load the model that it belongs to."
            )
        classifier = cls.__new__(cls)
        classifier.encoder = encoder
        try:
            classifier.labels = tuple(json.loads(metadata["labels"]))
            classifier.templates = tuple(json.loads(metadata["templates"]))
            plain = Prompts(classifier.templates).of_all(classifier.labels)
            classifier.prompts = json.loads(metadata["prompts"]) if "prompts" in metadata else plain
            classifier.vectors = tensors["label_embeddings"]
            classifier.agreement = tensors["prompt_agreement"]
            if metadata["kind"] == FEW_SHOT:
                classifier.learned = Learned.read(metadata["learned"], tensors, classifier.vectors.shape)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path} is a damaged classifier: {error}. Make it again.") from None
        return classifier


def _read_classifier(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a file that `save` wrote."""
    if not path.is_file():
        raise UsageError(f"There is no classifier at {path}.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except SafetensorError as error:
        raise ModelError(f"{path} is not a saved classifier, or it is damaged: {error}") from error
    if metadata.get("kind") not in (ZERO_SHOT, FEW_SHOT):
        raise ModelError(f"{path} is a safetensors file, but not one that ZeroShotClassifier.save wrote.")
    return tensors, metadata
