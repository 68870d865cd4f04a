import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, Painted

from lexel.calibration import Calibration
from lexel.errors import UsageError
from lexel.evaluation.classifier import ZeroShotClassifier
from lexel.evaluation.matching import GENERIC_TEXTS, generic_of, match_of
from lexel.evaluation.ranking import judge_captions
from lexel.evaluation.texts.labels import check_labels


def calibrated() -> ColourEncoder:
    encoder = ColourEncoder()
    encoder.calibration = Calibration(
        slope=20.0, intercept=-10.0, pairs=100, expected_calibration_error=0.01, source="colours"
    )
    return encoder


def test_a_calibrated_model_gives_its_own_probabilities():
    images = calibrated().embed_images([Painted(("red",))])
    np.testing.assert_allclose(match_of(calibrated(), images, np.array([[0.5, 1.0]])), [[0.5, 1 / (1 + np.exp(-10))]])


def test_a_single_label_that_does_not_fit_is_unlikely_though_its_probability_is_one():
    judged, _ = ZeroShotClassifier(calibrated(), ["green"]).judge([Painted(("red",)), Painted(("green",))])
    [wrong], [right] = judged[0], judged[1]
    assert (wrong.probability, wrong.strength) == (1.0, "unlikely")
    assert (right.probability, right.strength) == (1.0, "strong")


def test_the_match_of_a_label_is_that_of_the_mean_cosine_with_its_prompts():
    encoder = calibrated()
    images = encoder.embed_images([Painted(("red", "green"))])
    cosines = images @ encoder.embed_texts(["a red", "red and blue"]).T
    judged, _ = ZeroShotClassifier(encoder, ["red"], ["a {}", "{} and blue"]).judge([Painted(("red", "green"))])
    assert judged[0][0].match == pytest.approx(encoder.calibration.probability(cosines.mean()), abs=1e-5)


class WordyEncoder(ColourEncoder):
    """To which texts without a colour look different too."""

    def embed_texts(self, texts):
        noise = [np.random.default_rng(len(text)).normal(0, 0.02, 8) for text in texts]
        vectors = super().embed_texts(texts) + np.array(noise, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_without_calibration_a_match_stands_above_the_cosines_with_generic_texts():
    encoder = WordyEncoder()
    images = encoder.embed_images([Painted(("red",)), Painted(("red", "blue"))])
    generic = generic_of(encoder, images)
    assert generic is not None
    own = (images @ encoder.embed_texts(GENERIC_TEXTS).T).astype(float)
    expected = (0.2 - own.mean(axis=1)) / np.median(own.std(axis=1))
    np.testing.assert_allclose(generic.deviations(images, np.array([0.2, 0.2])), expected, rtol=1e-4)
    cosines = np.stack([own.mean(axis=1), own.mean(axis=1) + 5 * own.std(axis=1).max()], axis=1)
    matches = match_of(encoder, images, cosines)
    assert (matches[:, 0] < 0.01).all()
    assert (matches[:, 1] > 0.9).all()


def test_a_collapsed_model_finds_that_nothing_fits():
    judged, _ = ZeroShotClassifier(CollapsedEncoder(), ["red", "blue"]).judge([Painted(("red",))])
    assert {text.strength for text in judged[0]} == {"unlikely"}


def test_empty_texts_are_refused():
    with pytest.raises(UsageError, match="Caption 2 of 2 is empty"):
        judge_captions(ColourEncoder(), Painted(("red",)), ["red", ""])
    with pytest.raises(UsageError, match="Empty: 1 of 2 labels"):
        check_labels(["red", " "])
