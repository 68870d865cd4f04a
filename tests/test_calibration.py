import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lexel.calibration import Calibration, log_odds_of, sigmoid, strength

calibrations = st.builds(
    Calibration,
    slope=st.floats(1e-3, 1e4),
    intercept=st.floats(-1e4, 1e4),
    prior=st.floats(0.001, 0.999),
    pairs=st.just(100),
    expected_calibration_error=st.just(0.01),
    source=st.just("pairs"),
)
cosines = st.lists(st.floats(-1, 1), min_size=1, max_size=30).map(np.array)


def calibration(slope: float = 20.0, intercept: float = -6.0) -> Calibration:
    return Calibration(slope=slope, intercept=intercept, pairs=100, expected_calibration_error=0.01, source="pairs")


@given(calibrations, cosines)
def test_probabilities_are_probabilities_and_rise_with_the_cosine(calibration, cosines):
    probabilities = calibration.probability(np.sort(cosines))
    assert probabilities.shape == cosines.shape
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert (np.diff(probabilities) >= 0).all()


def test_the_curve_is_logistic_in_the_cosine():
    assert calibration().probability(np.array([0.3]))[0] == pytest.approx(0.5)
    assert calibration().probability(np.array([[0.4, 0.2]]))[0] == pytest.approx(
        [1 / (1 + np.exp(-2)), 1 / (1 + np.e**2)]
    )


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_rarer_match_is_less_likely_at_the_same_cosine_as_bayes_says(prior, probability):
    at = np.array([calibration().cosine(probability)])
    odds = (
        probability / (1 - probability) * prior / (1 - prior)
    )  # the likelihood ratio of equal numbers, times prior odds
    assert calibration().probability(at, prior=prior)[0] == pytest.approx(odds / (1 + odds))
    assert calibration().probability(at, prior=0.5)[0] == pytest.approx(probability)


def test_the_same_prior_as_fitted_with_changes_nothing():
    fitted = calibration().model_copy(update={"prior": 0.2})
    at = np.linspace(-1, 1, 9)
    np.testing.assert_allclose(fitted.probability(at, prior=0.2), fitted.probability(at))


@pytest.mark.parametrize("prior", [0.0, 1.0, -1.0, float("nan")])
def test_a_prior_that_is_no_share_is_refused(prior):
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration().probability(np.array([0.5]), prior=prior)


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan")])
def test_a_curve_that_does_not_rise_is_no_calibration(slope):
    with pytest.raises(ValidationError):
        calibration(slope=slope)


def test_it_survives_json_unchanged():
    assert Calibration.model_validate_json(calibration().model_dump_json()) == calibration()


@pytest.mark.parametrize(
    ("probability", "word"),
    [(1.0, "strong"), (0.9, "strong"), (0.89, "possible"), (0.5, "possible"), (0.49, "unlikely")],
)
def test_probabilities_have_words(probability, word):
    assert strength(probability) == word


@given(st.floats(0.001, 0.999))
def test_log_odds_undo_the_sigmoid(probability):
    assert sigmoid(np.array(log_odds_of(probability))) == pytest.approx(probability)


def test_the_sigmoid_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(sigmoid(np.array([-1e5, 0.0, 1e5])), [0, 0.5, 1])
