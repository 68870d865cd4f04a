"""A concept learned from two folders of examples: a logistic regression over embeddings of one model.

Trained with scikit-learn, saved as head.safetensors and head.json, and used with NumPy alone. Part of the examples is
kept apart: the threshold and all that is said about the head come from those, and the head that is saved is the one
that they were not shown to.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from lexel.config import Config
from lexel.curation.concepts.threshold import FALSE_POSITIVE_RATE, FalsePositives, choose_threshold
from lexel.encoder import Encoder
from lexel.errors import DataError, ModelError, UsageError
from lexel.evaluation.metrics.metric import wilson
from lexel.extras import missing_library
from lexel.files import new_folder
from lexel.safetensors_bytes import safetensors_bytes
from lexel.terminal import counted

DESCRIPTION, WEIGHTS = "head.json", "head.safetensors"
HELD_OUT_SHARE = 0.3  # of the examples of each kind
MIN_EXAMPLES = 10  # examples of each kind
INVERSE_PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)  # inverse penalties that are tried, for features of unit length


class HeadFacts(Config):
    """The contents of head.json: the model, the training examples and the measured rates."""

    kind: str = "lexel concept head"
    name: str
    model: str | None  # as `lexel.load` takes it
    model_name: str
    fingerprint: str
    threshold: float  # log-odds
    false_positives: FalsePositives
    recall: float  # share of the examples kept apart with the concept that are flagged
    recall_low: float  # 95 % interval
    recall_high: float
    recall_examples: int
    trained_on: tuple[int, int]  # examples with and without


@dataclass(frozen=True)
class Head:
    """A trained concept. A Judge."""

    facts: HeadFacts
    weights: np.ndarray  # (D,) float32
    bias: float

    @property
    def name(self) -> str:
        return self.facts.name

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors → (N,) log-odds float64"""
        return _scores(vectors, self.weights, self.bias)

    def fits(self, vectors: np.ndarray) -> np.ndarray:
        """(N,) bool, all true: what a head has learned is measured on examples."""
        return np.ones(len(vectors), bool)

    def save(self, folder: Path) -> None:
        """Write the head's folder. Raises UsageError when something else is there."""
        if folder.exists() and not (folder / DESCRIPTION).is_file() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there already and is no trained concept. Give another --output.")
        with new_folder(folder) as new:
            arrays = {"weights": self.weights, "bias": np.array([self.bias], np.float64)}
            (new / WEIGHTS).write_bytes(safetensors_bytes(arrays))
            (new / DESCRIPTION).write_text(json.dumps(self.facts.model_dump(mode="json"), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a head. Raises DataError when it is damaged."""
        try:
            facts = HeadFacts.model_validate_json((folder / DESCRIPTION).read_bytes())
            arrays = load_file(folder / WEIGHTS)
            weights, bias = arrays["weights"], float(arrays["bias"][0])
        except (OSError, ValidationError, SafetensorError, KeyError, IndexError) as error:
            raise DataError(
                f"{folder} is no trained concept, or it is damaged: {str(error).splitlines()[0]}."
            ) from None
        if facts.kind != "lexel concept head" or weights.ndim != 1:
            raise DataError(f"{folder} is no concept head.")
        return cls(facts, weights, bias)

    def check(self, fingerprint: str | None) -> None:
        """Raise ModelError when vectors are of another model than the head's."""
        if fingerprint != self.facts.fingerprint:
            raise ModelError(
                f"The concept {self.name} was trained on {self.facts.model_name} ({self.facts.fingerprint}), and these "
                f"vectors are\nof another model ({fingerprint}). Use that model, or train the concept again:\n"
                "  lexel concept train"
            )


def is_head(path: Path) -> bool:
    """Whether a head's folder is there."""
    return (path / DESCRIPTION).is_file()


def train_head(
    encoder: Encoder,
    name: str,
    yes: np.ndarray,
    no: np.ndarray,
    *,
    model: str | None = None,
    rate: float = FALSE_POSITIVE_RATE,
) -> Head:
    """A head from the unit vectors of examples with the concept (Y, D) and without (N, D).

    Raises UsageError when they are too few or scikit-learn is missing.
    """
    if min(len(yes), len(no)) < MIN_EXAMPLES:
        raise UsageError(
            f"{counted(len(yes), 'example')} with {name} and {len(no)} without are too few: {MIN_EXAMPLES} of each "
            "are the least, hundreds are better."
        )
    random = np.random.default_rng(0)
    (yes, kept_yes), (no, kept_no) = _split(yes, random), _split(no, random)
    weights, bias = _fit(yes, no)
    scores_no, scores_yes = _scores(kept_no, weights, bias), _scores(kept_yes, weights, bias)
    threshold, false_positives = choose_threshold(scores_no, rate)
    recall = float((scores_yes >= threshold).mean())
    low, high = wilson(recall, len(kept_yes))
    facts = HeadFacts(
        name=name,
        model=model,
        model_name=encoder.name,
        fingerprint=encoder.fingerprint,
        threshold=threshold,
        false_positives=false_positives,
        recall=recall,
        recall_low=low,
        recall_high=high,
        recall_examples=len(kept_yes),
        trained_on=(len(yes), len(no)),
    )
    return Head(facts, weights, bias)


def _scores(vectors: np.ndarray, weights: np.ndarray, bias: float) -> np.ndarray:
    return vectors.astype(np.float64) @ weights.astype(np.float64) + bias


def _split(vectors: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Examples to learn from, and those kept apart; the same picture twice stays on one side."""
    different, which = np.unique(vectors, axis=0, return_inverse=True)
    order = random.permutation(len(different))
    apart = np.isin(which.ravel(), order[: max(1, round(HELD_OUT_SHARE * len(different)))])
    return vectors[~apart], vectors[apart]


def _fit(yes: np.ndarray, no: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights (D,) float32 and bias; the penalty is chosen by cross-validation."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
    except ImportError as error:
        raise missing_library("Training a head", "sklearn", error) from None
    vectors = np.concatenate([yes, no]).astype(np.float64)
    truth = np.repeat([1, 0], [len(yes), len(no)])
    folds = StratifiedKFold(min(5, len(yes), len(no)), shuffle=True, random_state=0)
    search = GridSearchCV(
        LogisticRegression(class_weight="balanced", max_iter=1000),
        {"C": INVERSE_PENALTIES},
        scoring="neg_log_loss",
        cv=folds,
    )
    best = search.fit(vectors, truth).best_estimator_
    return best.coef_[0].astype(np.float32), float(best.intercept_[0])
