"""The embeddings on which Lexel and CLIP_benchmark are compared, the same every time."""

import numpy as np

IMAGES, CAPTIONS_EACH, CLASSES, DIMENSIONS = 60, 5, 12, 16
NOISE = 0.9  # so that about half is found


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def retrieval_case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, D), captions (M, D), and the image of each caption (M,): some images have one caption only."""
    random = np.random.default_rng(7)
    images = unit(random.normal(size=(IMAGES, DIMENSIONS)))
    image_of = np.repeat(np.arange(IMAGES), np.where(np.arange(IMAGES) % 6 == 0, 1, CAPTIONS_EACH))
    noise = random.normal(size=(len(image_of), DIMENSIONS)) * NOISE * DIMENSIONS**-0.5 * 2
    return images, unit(images[image_of] + noise), image_of


def tied_case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five images of which two and two are alike, and two captions of each: ties everywhere."""
    corners = np.eye(4, dtype=np.float32)
    images = corners[[0, 0, 1, 1, 2]]
    image_of = np.repeat(np.arange(5), 2)
    return images, corners[[0, 0, 0, 1, 1, 1, 1, 3, 2, 2]], image_of


def naming_case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (N, D), class vectors (C, D), and classes (N,); one class has a single image."""
    random = np.random.default_rng(8)
    labels = unit(random.normal(size=(CLASSES, DIMENSIONS)))
    classes = np.append(random.integers(0, CLASSES - 1, 150), CLASSES - 1)
    return unit(labels[classes] + random.normal(size=(len(classes), DIMENSIONS)) * 0.6), labels, classes


def several_labels_case() -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, C) and truth (N, C): images with several labels."""
    random = np.random.default_rng(9)
    return random.normal(size=(40, 6)).astype(np.float32), random.random((40, 6)) < 0.3
