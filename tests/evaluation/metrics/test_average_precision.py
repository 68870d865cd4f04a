import numpy as np
import pytest

from lexel.evaluation.metrics.average_precision import average_precision, mean_average_precision


@pytest.mark.parametrize("rounded", [False, True])
def test_average_precision_equals_scikit_learns_also_with_ties(rounded):
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(0)
    queries, candidates = random.normal(size=(30, 5)), random.normal(size=(40, 5))
    if rounded:
        queries, candidates = queries.round(), candidates.round()
    sizes = [39 if i == 7 else 1 + i % 5 for i in range(30)]  # more than FEW_RIGHT, and fewer
    relevant = [random.choice(40, size=size, replace=False).tolist() for size in sizes]
    found = average_precision(queries, candidates, relevant)
    for query, right, value in zip(queries, relevant, found, strict=True):
        truth = np.isin(np.arange(40), right)
        assert value == pytest.approx(average_precision_score(truth, candidates @ query), abs=1e-9)


def test_labels_without_any_image_have_no_average_precision():
    scores = np.array([[0.9, 0.1], [0.2, 0.3], [0.5, 0.4]])
    truth = np.array([[True, False], [False, False], [False, False]])
    first, second = mean_average_precision(scores, truth)
    assert first == 1
    assert np.isnan(second)
