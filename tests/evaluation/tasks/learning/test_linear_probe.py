import numpy as np
import pytest
from colour_encoder import NAMES, CollapsedEncoder, ColourEncoder, labelled_source, painted

from lexel.data.pairs import Source
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.tasks.learning.linear_probe import worth_in_shots


def mixed_source(each: int = 10) -> Source:
    """Colours under names that a text tower cannot know: only a probe can learn them."""
    named = [(name, i) for name in NAMES for i in range(each)]
    return Source("mixed", [painted(f"{n}{i}", n, NAMES[i % 7], n, label=f"kind {n[::-1]}") for n, i in named])


def test_a_probe_learns_what_zero_shot_cannot_name():
    metrics = evaluate(ColourEncoder(), mixed_source(), tasks=["zero_shot", "linear_probe"]).metrics()
    assert metrics["linear_probe/top1"] > 0.9
    assert metrics["linear_probe/mean_per_class"] > 0.9
    assert metrics["zero_shot/top1"] < 0.4


def test_the_curve_rises_with_the_shots_and_ends_with_the_images_there_are():
    [source] = evaluate(ColourEncoder(), mixed_source(), tasks=["linear_probe"]).sources
    [section] = source.sections
    shots = [name for name in section.metrics if name.startswith("shots_")]
    assert shots == ["shots_1", "shots_2", "shots_4", "shots_8"]
    assert section.metrics["shots_8"].value >= section.metrics["shots_1"].value - 0.05
    assert any("the curve is short" in warning for warning in section.warnings)
    assert "labelled image" in section.headline


def test_a_collapsed_model_probes_at_chance():
    [section] = evaluate(CollapsedEncoder(), labelled_source(each=10), tasks=["linear_probe"]).sources[0].sections
    assert section.metrics["top1"].value == pytest.approx(1 / 7, abs=0.02)
    assert section.metrics["shots_1"].value == pytest.approx(1 / 7, abs=0.02)


def test_images_of_labels_that_cannot_be_learned_count_as_wrong():
    training = labelled_source(["red", "blue"], each=5)
    test = labelled_source(["red", "blue", "white"], each=4)
    [section] = evaluate(ColourEncoder(), test, tasks=["linear_probe"], training=training).sources[0].sections
    assert section.metrics["top1"].value == pytest.approx(8 / 12)
    assert any("1 label has no image to learn from (white)" in warning for warning in section.warnings)
    assert np.array_equal(section.outcomes["top1"].values, [1] * 8 + [0] * 4)


@pytest.mark.parametrize(
    ("zero_shot", "worth"), [(0.5, 2.0), (0.6, 2**1.5), (0.2, None), (0.9, None), (0.3, 1.0), (0.7, 4.0)]
)
def test_zero_shot_is_worth_the_shots_at_which_the_curve_meets_it(zero_shot, worth):
    found = worth_in_shots({1: 0.3, 2: 0.5, 4: 0.7}, zero_shot)
    assert found == (worth if worth is None else pytest.approx(worth))
