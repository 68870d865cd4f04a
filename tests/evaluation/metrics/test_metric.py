import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score
from sklearn.metrics import confusion_matrix as reference_confusion

from lexel.errors import ModelError
from lexel.evaluation.metrics import metric as metrics
from lexel.evaluation.metrics.metric import (
    any_hit_probability,
    best_positions,
    bootstrap,
    chance_median_rank,
    chance_recall,
    confusion_matrix,
    mean_per_class,
    median_rank,
    proportion,
    wilson,
)


def random_ranking(seed, queries, candidates, coarse):
    """Scores (few distinct ones when coarse, so that many tie) and one to three relevant candidates for each query."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, (queries, candidates)) if coarse else rng.normal(size=(queries, candidates))
    relevant = [
        sorted(rng.choice(candidates, size=rng.integers(1, min(3, candidates) + 1), replace=False).tolist())
        for _ in range(queries)
    ]
    return scores.astype(np.float32), relevant


def rank_scores(scores, relevant):
    """As if the scores had come from embeddings: the candidates are the axes."""
    return best_positions(scores, np.eye(scores.shape[1], dtype=np.float32), relevant)


rankings = st.builds(random_ranking, st.integers(0, 10**6), st.integers(1, 12), st.integers(2, 9), st.booleans())


@given(ranking=rankings, k=st.integers(1, 10))
@settings(max_examples=40, deadline=None)
def test_hits_and_ranks_equal_the_average_over_random_orders_of_the_ties(ranking, k):
    scores, relevant = ranking
    positions = rank_scores(scores, relevant)
    rng = np.random.default_rng(0)
    found = np.zeros((3000, len(scores)))
    for i in range(len(found)):
        order = np.lexsort((rng.random(scores.shape), -scores), axis=1)
        found[i] = [min(row.tolist().index(c) for c in right) + 1 for row, right in zip(order, relevant, strict=True)]
    np.testing.assert_allclose(positions.hits_at(k), (found <= k).mean(0), atol=0.06)
    np.testing.assert_allclose(positions.ranks(), found.mean(0), atol=0.3)


@given(seed=st.integers(0, 10**6), k=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_without_ties_top_k_accuracy_is_that_of_scikit_learn(seed, k):
    rng = np.random.default_rng(seed)
    scores, truth = rng.normal(size=(50, 5)).astype(np.float32), np.append(np.arange(5), rng.integers(0, 5, 45))
    hits = rank_scores(scores, truth[:, None].tolist()).hits_at(k)
    assert hits.mean() == pytest.approx(top_k_accuracy_score(truth, scores, k=k))


def test_embeddings_that_are_not_numbers_are_refused_rather_than_ranked():
    broken = np.full((2, 3), np.nan, np.float32)
    with pytest.raises(ModelError, match="diverged"):
        best_positions(broken, np.eye(3, dtype=np.float32), [[0], [1]])


def test_row_blocks_of_any_height_give_the_same_positions(monkeypatch):
    scores, relevant = random_ranking(1, 50, 7, coarse=True)
    whole = rank_scores(scores, relevant)
    monkeypatch.setattr(metrics, "BLOCK_SCORES", 21)
    blocks = rank_scores(scores, relevant)
    np.testing.assert_array_equal(whole.better, blocks.better)
    np.testing.assert_array_equal(whole.ranks(), blocks.ranks())


@pytest.mark.parametrize("k", [1, 5, 10])
def test_when_everything_ties_recall_is_exactly_chance(k):
    relevant = [[i, (i + 1) % 40] if i % 3 else [i] for i in range(40)]
    same = np.ones((40, 8), np.float32)
    counts = np.array([len(right) for right in relevant])
    assert best_positions(same, same, relevant).hits_at(k).mean() == pytest.approx(chance_recall(40, counts, k))


@given(total=st.integers(1, 40), data=st.data())
@settings(deadline=None)
def test_the_chance_to_draw_a_relevant_one_follows_the_binomials(total, data):
    relevant, drawn = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    expected = 1 - math.comb(total - relevant, drawn) / math.comb(total, drawn)
    assert any_hit_probability(np.array([total]), np.array([relevant]), np.array([drawn]))[0] == pytest.approx(expected)


def test_the_chance_median_rank_is_the_middle_when_one_is_relevant_and_earlier_when_more_are():
    assert chance_median_rank(100, np.ones(7, int)) == 50
    assert chance_median_rank(100, np.full(7, 5)) == 13
    assert chance_median_rank(2, np.array([2, 2])) == 1


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_mean_per_class_and_confusion_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    metric = mean_per_class((truth == said).astype(float), truth, 0.25)
    assert metric.value == pytest.approx(balanced_accuracy_score(truth, said))
    assert metric.low <= metric.value <= metric.high
    np.testing.assert_array_equal(confusion_matrix(truth, said, 4), reference_confusion(truth, said, labels=range(4)))


def test_the_wilson_interval_is_the_published_one_and_leaves_doubt_at_the_ends():
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


@pytest.mark.parametrize("truth", [0.03, 0.3, 0.9])
def test_the_interval_of_a_proportion_holds_the_truth_about_19_times_of_20(truth):
    rng = np.random.default_rng(0)
    intervals = [proportion((rng.random(80) < truth).astype(float), 0.1) for _ in range(600)]
    assert 0.92 <= np.mean([m.low <= truth <= m.high for m in intervals]) <= 0.985


def test_hits_that_come_in_groups_widen_the_interval_as_much_as_they_should():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    covered = []
    for _ in range(400):
        hits = (rng.random(60) < 0.4).astype(float)[groups]  # all five captions of an image hit or miss together
        metric = proportion(hits, 0.1, groups)
        covered.append(metric.low <= 0.4 <= metric.high)
    assert 0.91 <= np.mean(covered) <= 0.985


def test_the_bootstrap_is_seeded_and_close_to_the_normal_interval_of_a_mean():
    values = np.random.default_rng(0).normal(size=500)

    def mean(weights):
        return float((weights * values).sum() / weights.sum())

    low, high = bootstrap(mean, np.arange(500))
    assert (low, high) == bootstrap(mean, np.arange(500))
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(500), rel=0.12)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
@settings(max_examples=15, deadline=None)
def test_the_median_rank_is_the_median(ranks):
    metric = median_rank(np.array(ranks, float), np.arange(len(ranks)), 15.0)
    assert metric.value == np.median(ranks)
    assert metric.low <= metric.value <= metric.high


def test_all_right_still_leaves_doubt_in_the_mean_per_class():
    metric = mean_per_class(np.ones(20), np.repeat(np.arange(4), 5), 0.25)
    assert metric.value == 1
    assert metric.low < 0.9
