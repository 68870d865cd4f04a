import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, captioned_source, labelled_source

from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.metric import jackknife
from lexel.evaluation.tasks.geometry import alignment, effective_dimension, hubness, modality_gap, uniformity


def unit(count: int, width: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_each_statistic_equals_its_definition_on_random_vectors():
    images, texts = unit(40, 6, 0), unit(40, 6, 1)
    pairs = [(i, j) for i in range(40) for j in range(40) if i != j]
    kernel = [np.exp(-2 * np.sum((images[i] - images[j]) ** 2)) for i, j in pairs]
    assert uniformity(images) == pytest.approx(np.log(np.mean(kernel)), rel=1e-4)
    assert alignment(images, texts) == pytest.approx(
        np.mean([np.sum((i - t) ** 2) for i, t in zip(images, texts, strict=True)])
    )
    assert modality_gap(images, texts) == pytest.approx(np.linalg.norm(images.mean(0) - texts.mean(0)), rel=1e-5)
    eigenvalues = np.linalg.eigvalsh(np.cov(images.T, bias=True))
    assert effective_dimension(images) == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-4)
    found = np.zeros(40)
    for text in texts:
        found[np.argsort(-(images @ text))[:10]] += 1
    assert hubness(images, texts) == pytest.approx(np.mean((found - found.mean()) ** 3) / found.std() ** 3, rel=1e-6)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    images = unit(2000, 3, 2)
    value, low, high = jackknife(lambda rows: float(images[rows, 0].mean()), 2000)
    assert value == pytest.approx(images[:, 0].mean())
    assert high - value == pytest.approx(value - low) == pytest.approx(1.96 * images[:, 0].std() / 2000**0.5, rel=0.6)


def test_a_collapsed_model_fills_no_dimension():
    metrics = evaluate(CollapsedEncoder(), labelled_source(each=10), tasks=["geometry"]).metrics()
    assert metrics["geometry/modality_gap"] == pytest.approx(0, abs=1e-6)
    assert metrics["geometry/effective_dimension_images"] == 0
    assert metrics["geometry/uniformity_images"] == pytest.approx(0, abs=1e-5)


def test_captions_are_the_texts_where_there_are_some():
    [section] = evaluate(ColourEncoder(), captioned_source(), tasks=["geometry"]).sources[0].sections
    assert section.metrics["alignment"].value < 0.1
    assert "of the 8 dimensions" in section.headline
