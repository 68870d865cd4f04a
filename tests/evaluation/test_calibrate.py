import numpy as np
import pytest
from colour_encoder import Broken, CollapsedEncoder, ColourEncoder, captioned_source, labelled_source, painted
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from lexel.calibration import sigmoid
from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, ModelError
from lexel.evaluation.calibrate import BIN_CENTRES, COSINE_BINS, MIN_PAIRS, calibrate, calibration_error, fit
from lexel.evaluation.embedded_source import embed_source


def counted(other: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.stack([np.histogram(cosines, COSINE_BINS, (-1, 1))[0] for cosines in (other, true)]).astype(float)


def synthetic(slope: float, intercept: float, count: int = 200_000) -> np.ndarray:
    """Counts of cosines of which, at equal numbers of both kinds, just those shares are true that the curve says."""
    density = np.exp(-(((BIN_CENTRES + intercept / slope) / 0.3) ** 2))  # even about the cosine of one half
    p = sigmoid(slope * BIN_CENTRES + intercept)
    counts = np.stack([density * (1 - p), density * p])
    return count * counts / counts.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("slope", "intercept"), [(5.0, 0.0), (15.0, -4.5), (40.0, -10.0), (90.0, -20.0)])
def test_the_curve_that_made_the_cosines_is_found_again(slope, intercept):
    assert fit(synthetic(slope, intercept)) == pytest.approx((slope, intercept), rel=0.01, abs=0.02)
    assert calibration_error(synthetic(slope, intercept), slope, intercept) < 1e-3


def test_a_wrong_curve_has_a_large_calibration_error():
    assert calibration_error(synthetic(10.0, -3.0), 10.0, -1.0) > 0.1
    assert calibration_error(synthetic(10.0, -3.0), 40.0, -12.0) > 0.1


def test_the_fit_is_that_of_a_weighted_logistic_regression():
    random = np.random.default_rng(0)
    other, true = random.normal(0.1, 0.2, 50_000).clip(-1, 1), random.normal(0.45, 0.15, 2_000).clip(-1, 1)
    cosines, match = np.concatenate([other, true]), np.repeat([0, 1], [50_000, 2_000])
    reference = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=1000)
    reference.fit(cosines[:, None], match)
    slope, intercept = fit(counted(other, true))
    assert slope == pytest.approx(reference.coef_[0, 0], rel=0.02)
    assert intercept == pytest.approx(reference.intercept_[0], rel=0.02)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=50).map(np.array),
    st.lists(st.floats(-1, 1), min_size=1, max_size=50).map(np.array),
)
def test_any_cosines_give_a_finite_curve_that_favours_the_higher_mean(other, true):
    slope, intercept = fit(counted(other, true))
    assert np.isfinite([slope, intercept]).all()
    if true.mean() > other.mean() + 0.01 and len(true) > 20:
        assert slope > 0


def test_perfectly_separated_cosines_do_not_make_a_step():
    slope, intercept = fit(counted(np.full(1000, 0.1), np.full(30, 0.6)))
    p = sigmoid(slope * np.array([0.1, 0.35, 0.6]) + intercept)
    assert 0.9 < p[2] < 0.99  # 31 of 32, as Platt's rule has it
    assert p[1] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "counts",
    [
        counted(np.full(5, 0.3), np.full(5, 0.3)),
        counted(np.array([]), np.full(5, 0.3)),
        counted(np.array([0.1, 0.2]), np.array([])),
    ],
)
def test_cosines_that_tell_nothing_apart_give_no_slope(counts):
    assert fit(counts)[0] <= 0


def test_a_model_is_calibrated_on_captioned_pairs():
    found = calibrate(ColourEncoder(), captioned_source())
    encoder, pairs = ColourEncoder(), captioned_source().pairs
    images, texts = encoder.embed_images([pair.picture for pair in pairs]), [pair.captions[0] for pair in pairs]
    p = found.probability(images @ encoder.embed_texts(texts).T)
    true = np.eye(len(pairs), dtype=bool)
    assert np.median(p[true]) > 0.8
    assert np.median(p[~true]) < 0.3
    assert (found.pairs, found.source, found.prior) == (len(pairs), "stripes", 0.5)
    assert 0 <= found.expected_calibration_error < 0.2


def test_labels_stand_in_where_there_are_no_captions():
    found = calibrate(ColourEncoder(), labelled_source(), templates=["a picture of {}", "{} alone"])
    right, wrong = found.probability(np.array([0.95, 0.05]))
    assert right > 0.8 > 0.2 > wrong


def test_equal_captions_and_equal_labels_are_true_of_every_picture_that_has_them():
    same = Source("same", [painted(f"{i}", "red", captions=("Red  thing",)) for i in range(15)])
    other = Source("other", [painted(f"b{i}", "blue", captions=("red thing", "blue")) for i in range(15)])
    shared = Source("both", [*same.pairs, *other.pairs])
    found = calibrate(ColourEncoder(), shared)  # the only other pairs: a red picture and "blue"
    blue = ColourEncoder().embed_texts(["blue"])
    red = ColourEncoder().embed_images([same.pairs[0].picture])
    assert found.probability(red @ blue.T)[0, 0] < 0.3


def test_unreadable_pictures_are_left_out():
    source = captioned_source()
    with_broken = Source("broken", [Pair("broken", Broken(), ("red",)), *source.pairs])
    assert calibrate(ColourEncoder(), with_broken).pairs == len(source.pairs)


def test_what_was_embedded_already_is_not_embedded_again():
    embedded = embed_source(ColourEncoder(), captioned_source())
    encoder = ColourEncoder()
    encoder.embed_readable = None  # pyright: ignore[reportAttributeAccessIssue]
    assert calibrate(encoder, embedded) == calibrate(ColourEncoder(), captioned_source())  # pyright: ignore


@pytest.mark.parametrize(
    "pairs",
    [
        [painted("one", "red", captions=("red",))],
        [painted(f"{i}", "red", captions=("red",)) for i in range(MIN_PAIRS)],
        captioned_source().pairs[: MIN_PAIRS - 1],
    ],
)
def test_too_little_to_calibrate_on_is_said(pairs):
    with pytest.raises(DataError, match=r"few has \d+ readable pairs with \d+ distinct texts: too few to calibrate on"):
        calibrate(ColourEncoder(), Source("few", pairs))


def test_a_model_that_knows_nothing_is_not_calibrated():
    with pytest.raises(DataError, match="collapsed does not separate true pairs of stripes from random ones"):
        calibrate(CollapsedEncoder(), captioned_source())


def test_a_model_that_has_diverged_is_named():
    class Diverged(ColourEncoder):
        name = "diverged"

        def embed_texts(self, texts):
            return super().embed_texts(texts) * np.nan

    with pytest.raises(ModelError, match="diverged gives embeddings that are not finite"):
        calibrate(Diverged(), captioned_source())
