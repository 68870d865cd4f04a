import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, labelled_source, painted

from lexel.data.pairs import Source
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.tasks.naming.confidence import CONFIDENCE_BINS, calibration_error, fit_temperature


def test_the_calibration_error_equals_its_definition():
    random = np.random.default_rng(0)
    confidence, right = random.random(300), random.random(300) < 0.4
    expected = 0.0
    for low in np.arange(CONFIDENCE_BINS) / CONFIDENCE_BINS:
        inside = (confidence >= low) & (confidence < low + 1 / CONFIDENCE_BINS)
        if inside.any():
            expected += inside.sum() / 300 * abs(confidence[inside].mean() - right[inside].mean())
    assert calibration_error(confidence, right) == pytest.approx(expected, abs=1e-12)
    assert calibration_error(np.ones(4), np.ones(4, bool)) == 0


def test_the_temperature_of_drawn_labels_is_found():
    random = np.random.default_rng(1)
    cosines = random.normal(0, 0.3, (4000, 5))
    encoder = ColourEncoder()  # its own logit scale is 10
    logits = 10 * cosines / 2.0
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (random.random((4000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(encoder, cosines, truth) == pytest.approx(2.0, rel=0.15)


def test_an_overconfident_model_is_called_so_and_mended_by_its_temperature():
    encoder = ColourEncoder()
    encoder.logit_scale = 100.0
    names = ["red", "red", "red", "blue"]
    pairs = [painted(f"{i}", "red", "red", "blue", label=names[i % 4]) for i in range(400)]
    [section] = evaluate(encoder, Source("s", pairs), tasks=["calibration"]).sources[0].sections
    assert "too sure" in section.headline
    assert section.metrics["error_after_temperature"].value < section.metrics["error"].value / 2
    metric = section.metrics["error"]
    assert metric.low <= metric.value <= metric.high


def test_a_collapsed_model_is_rightly_unsure():
    [section] = evaluate(CollapsedEncoder(), labelled_source(each=10), tasks=["calibration"]).sources[0].sections
    assert section.metrics["confidence"].value == pytest.approx(1 / 7)
    assert section.metrics["error"].value < 0.01


def test_a_sigmoid_loss_model_has_no_temperature():
    encoder = ColourEncoder()
    encoder.logit_bias = -5.0
    [section] = evaluate(encoder, labelled_source(each=4), tasks=["calibration"]).sources[0].sections
    assert "error_after_temperature" not in section.metrics
