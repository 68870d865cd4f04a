import numpy as np
import pytest
from colour_encoder import Broken, CollapsedEncoder, ColourEncoder, labelled_source, painted

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, UsageError
from lexel.evaluation.tasks.naming.zero_shot import zero_shot


def test_known_images_are_all_named_rightly():
    result = zero_shot(ColourEncoder(), labelled_source())
    assert result.metrics["top1"].value == result.metrics["mean_per_class"].value == result.metrics["top5"].value == 1
    assert result.metrics["top1"].chance == pytest.approx(1 / 7)
    assert result.metrics["top1"].low < 0.9
    np.testing.assert_array_equal(result.confusion, 3 * np.eye(7))
    assert result.worst_confusions() == []


def test_a_wrong_label_shows_up_as_a_confusion_and_in_the_class_accuracy():
    pairs = [*labelled_source(["red", "blue"], each=4).pairs, painted("odd", "blue", label="red")]
    result = zero_shot(ColourEncoder(), Source("s", pairs))
    assert result.metrics["top1"].value == pytest.approx(8 / 9)
    assert result.metrics["mean_per_class"].value == pytest.approx(0.9)
    assert result.worst_confusions() == [("red", "blue", 1)]
    assert result.per_class["red"].value == pytest.approx(0.8)
    assert result.majority == ("red", pytest.approx(5 / 9))
    assert "top5" not in result.metrics


def test_a_collapsed_model_scores_at_chance_not_at_a_hundred_percent():
    result = zero_shot(CollapsedEncoder(), labelled_source(each=10))
    assert result.metrics["top1"].value == pytest.approx(1 / 7)
    assert result.metrics["top5"].value == pytest.approx(5 / 7)
    assert len(set(result.guesses[:, 0].tolist())) > 3  # ties are not all broken towards the first label


def test_what_cannot_be_measured_is_left_out_and_counted():
    pairs = [
        *labelled_source(["red", "blue"], each=2).pairs,
        painted("bare", "red", captions=("red",)),
        painted("strange", "green", label="green"),
        Pair("broken", Broken(), label="red"),
    ]
    result = zero_shot(ColourEncoder(), Source("s", pairs), labels=["red", "blue", "white"])
    assert len(result.pairs) == 4
    assert result.unlabelled == 1
    assert result.outside == {"green": 1}
    assert result.counts.tolist() == [2, 2, 0]
    assert list(result.per_class) == ["red", "blue"]


def test_sources_without_anything_to_name_are_refused():
    with pytest.raises(UsageError, match="only the label"):
        zero_shot(ColourEncoder(), labelled_source(["red"]))
    with pytest.raises(DataError, match="none of its images carries"):
        zero_shot(ColourEncoder(), labelled_source(["red"]), labels=["a", "b"])
    with pytest.raises(DataError, match="none of its 1 images could be read"):
        zero_shot(ColourEncoder(), Source("s", [Pair("b", Broken(), label="x")]))
