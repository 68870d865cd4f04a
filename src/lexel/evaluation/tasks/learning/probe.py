"""Logistic regression on frozen embeddings (a linear probe), and the search for its penalty, as in the CLIP paper.

The paper (Radford et al. 2021, appendix A.3) searches the L2 penalty on a validation split: first seven powers of ten
far apart, then halving the distance around the best. L-BFGS minimizes the sum of the log losses plus the penalty times
half the squared weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexel.extras import missing_library

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FIRST_EXPONENTS = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)  # of ten, of C = 1 / penalty
LAST_STEP = 0.125  # an eighth of a power of ten: the paper's 8 values a decade
MAX_ITERATIONS = 1000
QUICK_ITERATIONS = 200  # while the penalty is chosen


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted linear classifier of the classes that it was shown."""

    weights: np.ndarray  # (C, D)
    biases: np.ndarray  # (C,)
    classes: np.ndarray  # (C,) the class of each row

    def scores(self, vectors: np.ndarray, count: int) -> np.ndarray:
        """Logits (N, count) of all classes; −inf for those that it was not shown."""
        found = np.full((len(vectors), count), -np.inf)
        found[:, self.classes] = vectors @ self.weights.T + self.biases
        return found


def fit_probe(vectors: np.ndarray, classes: np.ndarray, c: float, iterations: int = MAX_ITERATIONS) -> Probe:
    """Fit on (M, D) vectors with (M,) classes, of which there are two or more; `c` is the inverse of the L2 penalty."""
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise missing_library("A linear probe", "sklearn", error) from None
    shown, target = np.unique(classes, return_inverse=True)
    count, width = len(shown), vectors.shape[1]
    rows = np.arange(len(vectors))
    x = vectors.astype(np.float64)

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = flat.reshape(count, width + 1)
        logits = x @ parameters[:, :-1].T + parameters[:, -1]
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        totals = exponentials.sum(axis=1)
        loss = (np.log(totals) - logits[rows, target]).sum()
        gap = exponentials / totals[:, None]
        gap[rows, target] -= 1
        gradient = np.empty_like(parameters)
        gradient[:, :-1] = gap.T @ x + parameters[:, :-1] / c
        gradient[:, -1] = gap.sum(axis=0)
        return float(loss + (parameters[:, :-1] ** 2).sum() / (2 * c)), gradient.ravel()

    found = minimize(
        loss_and_gradient,
        np.zeros(count * (width + 1)),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": iterations, "gtol": 1e-4 * len(vectors) ** 0.5, "ftol": 1e-9, "maxcor": 10},
    )
    parameters = found.x.reshape(count, width + 1)
    return Probe(parameters[:, :-1], parameters[:, -1], shown)


def choose_penalty(
    vectors: np.ndarray, classes: np.ndarray, validation_vectors: np.ndarray, validation_classes: np.ndarray
) -> tuple[float, dict[float, float]]:
    """The C of the best accuracy on the validation images, the smallest of equals; and the accuracy of each tried."""
    count = int(max(classes.max(), validation_classes.max())) + 1
    tried: dict[float, float] = {}

    def accuracy(exponent: float) -> float:
        if exponent not in tried:
            probe = fit_probe(vectors, classes, 10.0**exponent, QUICK_ITERATIONS)
            right = probe.scores(validation_vectors, count).argmax(axis=1) == validation_classes
            tried[exponent] = float(right.mean())
        return tried[exponent]

    best = _best({exponent: accuracy(exponent) for exponent in FIRST_EXPONENTS})
    step = 1.0
    while step >= LAST_STEP:
        inside = [e for e in (best - step, best, best + step) if FIRST_EXPONENTS[0] <= e <= FIRST_EXPONENTS[-1]]
        around = {exponent: accuracy(exponent) for exponent in inside}
        best = _best(around)
        step /= 2
    return 10.0**best, {10.0**exponent: tried[exponent] for exponent in sorted(tried)}


def _best(accuracies: dict[float, float]) -> float:
    """The exponent of the highest accuracy; of several the smallest, which is the strongest penalty."""
    return min(accuracies, key=lambda exponent: (-accuracies[exponent], exponent))


def as_hits(scores: ArrayLike, classes: np.ndarray) -> np.ndarray:
    """(N,) the probability that the true class is the best one, ties in random order; 0 for a class of −1."""
    scores = np.asarray(scores)
    best = scores == scores.max(axis=1, keepdims=True)
    right = best[np.arange(len(scores)), np.maximum(classes, 0)] & (classes >= 0)
    return right / best.sum(axis=1)
