import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, labelled_source

from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.tasks.learning.learning_data import LearningData
from lexel.evaluation.tasks.learning.nearest_neighbours import neighbour_hits


def random_data(folds: bool, seed: int = 0) -> LearningData:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(50, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = random.integers(0, 4, 50)
    test, test_classes = (vectors, classes) if folds else (vectors[::-1] * np.float32(-1), classes[::-1])
    return LearningData(
        labels=list("abcd"), vectors=vectors, classes=classes, test_vectors=test, test_classes=test_classes,
        test_rows=np.arange(50), folds=np.arange(50) % 5 if folds else None, left_out=0, seed=0,
    )  # fmt: skip


@pytest.mark.parametrize("folds", [True, False])
@pytest.mark.parametrize("k", [1, 7, 20])
def test_votes_equal_brute_force(folds, k):
    data = random_data(folds)
    expected = []
    for i, vector in enumerate(data.test_vectors):
        cosines = data.vectors.astype(float) @ vector.astype(float)
        order = [j for j in np.argsort(-cosines) if not (folds and i == j)][:k]
        votes = np.zeros(4)
        for j in order:
            votes[data.classes[j]] += np.exp(cosines[j] / 0.07)
        expected.append(votes.argmax() == data.test_classes[i])
    np.testing.assert_array_equal(neighbour_hits(data, k) > 0.5, expected)


def test_alike_images_name_each_other():
    metrics = evaluate(ColourEncoder(), labelled_source(each=25), tasks=["knn"]).metrics()
    assert metrics["knn/top1"] == metrics["knn/nearest_top1"] == 1


def test_a_collapsed_model_does_not_know_its_neighbours():
    metrics = evaluate(CollapsedEncoder(), labelled_source(each=25), tasks=["knn"]).metrics()
    assert metrics["knn/top1"] < 0.35
