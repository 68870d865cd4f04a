import numpy as np
import pytest
from colour_encoder import ColourEncoder, captioned_source, labelled_source

from lexel.blending.curve import CurvePoint, choose_point, score_change
from lexel.evaluation.metrics.metric import proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.score import SourceScore, measure_score


def scored(name: str, right: int, of: int = 100) -> SourceScore:
    hits = (np.arange(of) < right).astype(float)
    return SourceScore(name, "named right", proportion(hits, 0.1), Outcome(hits, np.arange(of)))


def curve(*points: tuple[int, int]) -> list[CurvePoint]:
    weights = np.linspace(0, 1, len(points))
    return [CurvePoint(w, scored("own", a), (scored("guard", b),)) for w, (a, b) in zip(weights, points, strict=True)]


@pytest.mark.parametrize(
    ("most_lost", "taken"),
    [(0.0, 0.0), (1.0, 0.25), (4.0, 0.5), (90.0, 0.5)],  # at 90 the end is allowed, and not the best
)
def test_the_best_on_the_own_data_of_those_that_lose_little_is_taken(most_lost, taken):
    found = choose_point(curve((20, 80), (40, 79), (60, 76), (55, 50), (50, 20)), most_lost)
    assert found.weight == taken


def test_of_equals_the_nearest_to_the_start_is_taken():
    assert choose_point(curve((30, 80), (50, 80), (50, 80)), 1.0).weight == 0.5


def test_every_guard_has_to_hold():
    start = CurvePoint(0, scored("own", 20), (scored("a", 50), scored("b", 50)))
    end = CurvePoint(1, scored("own", 90), (scored("a", 60), scored("b", 40)))
    assert end.losses(start) == pytest.approx([-10, 10])
    assert choose_point([start, end], 5.0) is start


def test_a_change_is_compared_in_pairs():
    change = score_change(scored("own", 20), scored("own", 60))
    assert change.difference == pytest.approx(0.4)
    assert change.interval[0] < 0.4 < change.interval[1]
    assert change.verdict == "better"
    assert score_change(scored("own", 20), scored("own", 21)).verdict == "cannot tell"


def test_a_score_is_top1_with_labels_and_the_mean_of_both_recalls_with_captions():
    encoder = ColourEncoder()
    assert measure_score(encoder, labelled_source()).metric.value == 1
    score = measure_score(encoder, captioned_source())
    assert score.name == "recall@1"
    assert score.metric.low <= score.metric.value <= score.metric.high
    assert score.outcome.values.mean() == pytest.approx(score.metric.value)
