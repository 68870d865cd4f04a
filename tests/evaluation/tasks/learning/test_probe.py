import numpy as np
import pytest

from lexel.evaluation.tasks.learning.probe import as_hits, choose_penalty, fit_probe


def blobs(count: int, classes: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(7).normal(size=(classes, 6))
    random = np.random.default_rng(seed)
    truth = np.arange(count) % classes
    vectors = centres[truth] + random.normal(0, spread, (count, 6))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize(("classes", "c"), [(2, 0.3), (2, 30.0), (5, 1.0), (5, 100.0)])
def test_a_probe_equals_scikit_learns_logistic_regression(classes, c):
    from sklearn.linear_model import LogisticRegression

    vectors, truth = blobs(120, classes, 0.8)
    probe = fit_probe(vectors, truth, c)
    if classes == 2:  # scikit-learn has one row of weights: the difference of ours
        reference = LogisticRegression(C=2 * c, tol=1e-8, max_iter=5000).fit(vectors.astype(float), truth)
        logits = vectors @ reference.coef_[0] + reference.intercept_[0]
        scores = probe.scores(vectors, classes)
        np.testing.assert_allclose(scores[:, 1] - scores[:, 0], logits, atol=2e-2)
        return
    reference = LogisticRegression(C=c, tol=1e-8, max_iter=5000).fit(vectors.astype(float), truth)
    scores = probe.scores(vectors, classes)
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chances, reference.predict_proba(vectors.astype(float)), atol=5e-3)


def test_the_penalty_chosen_has_the_best_accuracy_of_all_that_were_tried():
    vectors, truth = blobs(80, 4, 0.9)
    validation, validation_truth = blobs(200, 4, 0.9, seed=1)
    c, tried = choose_penalty(vectors, truth, validation, validation_truth)
    assert tried[c] == max(tried.values())
    assert c == min(value for value, accuracy in tried.items() if accuracy == tried[c])
    assert {1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6} <= {float(f"{value:.6g}") for value in tried}
    right = fit_probe(vectors, truth, c, 200).scores(validation, 4).argmax(axis=1) == validation_truth
    assert tried[c] == right.mean()


def test_a_class_that_was_not_shown_is_never_said():
    vectors, truth = blobs(40, 4, 0.3)
    probe = fit_probe(vectors[truth != 2], truth[truth != 2], 10.0)
    assert (probe.scores(vectors, 4).argmax(axis=1) != 2).all()


def test_ties_count_by_expectation_and_unknown_classes_never():
    scores = np.array([[1.0, 1.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    np.testing.assert_allclose(as_hits(scores, np.array([0, 1, 2, -1])), [0.5, 0, 1 / 3, 0])
