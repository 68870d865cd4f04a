"""Labelled images, cut into folds or thinned out to a few of each class, at random but the same for the same seed."""

import numpy as np


def stratified_folds(classes: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """A fold 0..folds−1 for each image, at random, those of each class spread as evenly as can be. (M,)"""
    random = np.random.default_rng(seed)
    found = np.empty(len(classes), dtype=np.int64)
    start = 0
    for label in np.unique(classes):
        rows = random.permutation(np.flatnonzero(classes == label))
        found[rows] = (np.arange(len(rows)) + start) % folds
        start += len(rows)  # else small classes would all lie in the first folds
    return found


def few_of_each(rows: np.ndarray, classes: np.ndarray, shots: int, seed: int) -> np.ndarray:
    """At most `shots` random rows of each class. rows and classes (R,)"""
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    order = shuffled[np.argsort(classes[shuffled], kind="stable")]
    _, starts, counts = np.unique(classes[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    return rows[np.sort(order[place < shots])]
