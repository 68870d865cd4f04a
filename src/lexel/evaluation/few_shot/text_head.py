"""A linear classifier of embeddings that begins at the text embeddings of its classes and is held near them.

The weights of class c are s·t_c + d_c: the text embedding by the model's own scale, and a difference that is learned.
What is minimised is the sum of the log losses of the examples plus half the penalty times the squared differences, a
convex problem. With an infinite penalty it is zero-shot classification, with a small one a plain linear probe. LP++
(Huang et al. 2024) blends text and image weights in the same spirit; the penalty towards the text embeddings is that of
CLAP (Silva-Rodríguez et al. 2024).
"""

import numpy as np

from lexel.extras import missing_library

MAX_ITERATIONS = 200


def fit_text_head(
    vectors: np.ndarray,
    classes: np.ndarray,
    texts: np.ndarray,
    scale: float,
    penalty: float,
    start: np.ndarray | None = None,
) -> np.ndarray:
    """The learned differences (L, D) float32, in logits for each unit of an image's embedding.

    vectors (M, D) with classes (M,), texts (L, D) of unit length. Classes without an example keep a difference of
    exactly 0, and take no part in the loss. `start` is a solution for another penalty, to begin from.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise missing_library("Learning from labels", "sklearn", error) from None
    seen, target = np.unique(classes, return_inverse=True)
    differences = np.zeros(texts.shape, np.float32)
    if len(seen) < 2:
        return differences
    rows, shape = np.arange(len(vectors)), (len(seen), texts.shape[1])
    vectors = vectors.astype(np.float32)
    known = scale * (vectors @ texts[seen].T.astype(np.float32))  # (M, S)

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        logits = known + vectors @ weights.astype(np.float32).T
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[rows, target]
        gap = np.exp(logits, out=logits)
        totals = gap.sum(axis=1, dtype=np.float64)
        loss = np.log(totals).sum() - right.sum(dtype=np.float64)
        gap /= totals.astype(np.float32)[:, None]
        gap[rows, target] -= 1
        gradient = (gap.T @ vectors).astype(np.float64) + penalty * weights
        return float(loss + penalty / 2 * (weights**2).sum()), gradient.ravel()

    first = np.zeros(shape) if start is None else start[seen].astype(np.float64)
    options = {"maxiter": MAX_ITERATIONS, "ftol": 1e-7, "gtol": 1e-4}
    found = minimize(loss_and_gradient, first.ravel(), method="L-BFGS-B", jac=True, options=options)
    differences[seen] = found.x.reshape(shape)
    return differences
