import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexel.evaluation.few_shot.text_head import fit_text_head
from lexel.unit_vectors import unit


def drawn(seed: int, examples: int = 40, labels: int = 4, width: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    texts = unit(random.normal(size=(labels, width)))
    classes = np.arange(examples) % labels
    return unit(texts[classes] + random.normal(size=(examples, width))), classes, texts


def objective(differences, vectors, classes, texts, scale, penalty) -> float:
    """The formula, an example at a time, in float64."""
    total = penalty / 2 * (differences.astype(float) ** 2).sum()
    for vector, label in zip(vectors.astype(float), classes, strict=True):
        logits = [
            scale * vector @ text + vector @ difference for text, difference in zip(texts, differences, strict=True)
        ]
        total += np.log(np.exp(logits).sum()) - logits[label]
    return float(total)


@given(st.integers(0, 1000), st.sampled_from([0.03, 1.0, 30.0]), st.sampled_from([1.0, 10.0, 100.0]))
@settings(max_examples=15, deadline=None)
def test_the_head_is_the_minimum_of_the_penalised_loss(seed, penalty, scale):
    vectors, classes, texts = drawn(seed)
    found = fit_text_head(vectors, classes, texts, scale, penalty)
    least = objective(found, vectors, classes, texts, scale, penalty)
    random = np.random.default_rng(seed)
    for size in (0.01, 0.1, 1.0):  # the problem is convex: what no small change betters is the minimum
        other = found + size * unit(random.normal(size=(1, found.size))).reshape(found.shape)
        assert least <= objective(other, vectors, classes, texts, scale, penalty) + 1e-4 * len(vectors)


def test_without_texts_it_is_logistic_regression():
    linear = pytest.importorskip("sklearn.linear_model")
    vectors, classes, texts = drawn(3)
    found = fit_text_head(vectors, classes, np.zeros_like(texts), 10.0, 0.5)
    theirs = linear.LogisticRegression(C=2.0, fit_intercept=False, tol=1e-8, max_iter=1000).fit(vectors, classes)
    np.testing.assert_allclose(found, theirs.coef_, atol=0.02)  # ours stops at a relative change of 1e-7 of the loss


def test_an_infinite_penalty_leaves_the_text_embeddings():
    vectors, classes, texts = drawn(1)
    assert np.abs(fit_text_head(vectors, classes, texts, 10.0, 1e9)).max() < 1e-6


def test_a_class_without_examples_stays_where_its_text_is_and_one_class_alone_teaches_nothing():
    vectors, classes, texts = drawn(2)
    seen = classes != 3
    found = fit_text_head(vectors[seen], classes[seen], texts, 10.0, 0.1)
    assert not found[3].any()
    assert found[:3].any()
    one = classes == 0
    assert not fit_text_head(vectors[one], classes[one], texts, 10.0, 0.1).any()


def test_where_it_begins_does_not_matter():
    vectors, classes, texts = drawn(5)
    far = fit_text_head(vectors, classes, texts, 10.0, 0.03)
    np.testing.assert_allclose(
        fit_text_head(vectors, classes, texts, 10.0, 1.0, start=far),
        fit_text_head(vectors, classes, texts, 10.0, 1.0),
        atol=0.02,
    )
