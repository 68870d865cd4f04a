from itertools import permutations

import numpy as np
import pytest

from lexel.evaluation.metrics.twins import CHANCES, twin_scores


def from_cosines(cosines):
    """Scores of twins whose cosines (N, 2 images, 2 captions) are given: images are unit axes."""
    images = np.broadcast_to(np.eye(2), (len(cosines), 2, 2))
    return twin_scores(images, np.swapaxes(np.asarray(cosines, float), 1, 2))


@pytest.mark.parametrize(
    ("cosines", "caption", "captions", "images", "group"),
    [
        ([[0.9, 0.1], [0.2, 0.8]], [1, 1], 1, 1, 1),
        ([[0.9, 0.1], [0.8, 0.2]], [1, 0], 0, 1, 0),  # the first caption whatever is shown, yet less so the second
        ([[0.5, 0.4], [0.7, 0.8]], [1, 1], 1, 0, 0),  # captions told apart, but the second image suits both better
        ([[0.1, 0.9], [0.9, 0.1]], [0, 0], 0, 0, 0),
    ],
)
def test_each_score_asks_its_own_question(cosines, caption, captions, images, group):
    scores = from_cosines([cosines])
    assert scores.caption.tolist() == [caption]
    assert (scores.captions[0], scores.images[0], scores.group[0]) == (captions, images, group)


def test_a_model_to_which_everything_looks_alike_scores_at_chance():
    scores = from_cosines([[[0.5, 0.5], [0.5, 0.5]]])
    assert {name: getattr(scores, name).mean() for name in CHANCES} == pytest.approx(CHANCES)


def test_chance_is_the_mean_over_all_orders_of_four_cosines():
    orders = [np.reshape(order, (2, 2)) for order in permutations((0.1, 0.2, 0.3, 0.4))]
    scores = from_cosines(orders)
    assert {name: getattr(scores, name).mean() for name in CHANCES} == pytest.approx(CHANCES)


def test_ties_count_as_the_mean_over_the_orders_that_they_leave_open():
    rng = np.random.default_rng(0)
    cosines = rng.integers(0, 3, (50, 2, 2)).astype(float)
    scores = from_cosines(cosines)
    nudges = np.array([np.reshape(order, (2, 2)) for order in permutations((0.0, 0.1, 0.2, 0.3))])
    for i, table in enumerate(cosines):
        opened = from_cosines(table + nudges)
        for name in CHANCES:
            assert np.allclose(getattr(scores, name)[i], getattr(opened, name).mean(axis=0))
