import numpy as np
import pytest
from colour_encoder import NAMES, CollapsedEncoder, ColourEncoder, labelled_source, painted

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.evaluate import evaluate


def two_colours() -> Source:
    pairs = [painted(f"{a}-{b}", a, b, label=f"{a}, {b}") for a in NAMES for b in NAMES if a < b]
    pairs += [painted(f"wrong{i}", "cyan", label="red") for i in range(4)]
    return Source("two", pairs)


def test_mean_average_precision_equals_scikit_learns():
    from sklearn.metrics import average_precision_score

    source, encoder = two_colours(), ColourEncoder()
    labels = sorted(NAMES)
    truth = np.array([[label in pair.label.split(", ") for label in labels] for pair in source.pairs])
    scores = encoder.embed_images([pair.picture for pair in source.pairs]) @ encoder.embed_texts(labels).T
    [section] = evaluate(encoder, source, tasks=["multi_label"], templates="plain").sources[0].sections
    metric = section.metrics["mean_average_precision"]
    assert metric.value == pytest.approx(average_precision_score(truth, scores, average="macro"), abs=1e-6)
    assert metric.low < metric.value < metric.high
    assert metric.chance == pytest.approx(truth.mean())
    assert section.metrics["top1"].value == pytest.approx(21 / 25)
    by_label = average_precision_score(truth, scores, average=None)
    assert section.blocks[1].rows[-1][0] == labels[int(by_label.argmin())]


def test_a_collapsed_model_ranks_at_chance():
    metric = evaluate(CollapsedEncoder(), two_colours(), tasks=["multi_label"]).sources[0].metrics
    assert metric["multi_label/mean_average_precision"].value == pytest.approx(
        metric["multi_label/mean_average_precision"].chance
    )


def test_zero_shot_says_that_several_labels_were_taken_for_one():
    [source] = evaluate(ColourEncoder(), two_colours(), tasks=["zero_shot"]).sources
    assert any("--tasks multi-label" in warning for warning in source.all_warnings)


def test_single_labels_are_refused():
    with pytest.raises(UsageError, match="several labels"):
        evaluate(ColourEncoder(), labelled_source(), tasks=["multi_label"])
