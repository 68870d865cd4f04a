import itertools

import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, captioned_source, labelled_source
from hypothesis import given
from hypothesis import strategies as st
from published_probes import aro, clevr, sugarcrepe, winoground

from lexel.errors import ModelError, UsageError
from lexel.evaluation.comparison.compare import compare
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.choices import choice_chance, choice_scores
from lexel.evaluation.tasks.compositional.word_order import reordered


def values(section):
    return {name: metric.value for name, metric in section.metrics.items()}


def test_sugarcrepe_is_measured_by_kind_against_chance_with_intervals(tmp_path):
    [section] = evaluate(ColourEncoder(), f"sugarcrepe:{sugarcrepe(tmp_path)}").sources[0].sections
    assert section.task == "choices"
    assert values(section) == {
        "accuracy": 0.75,
        "mean_over_kinds": 0.75,
        "kind/add_obj": 0.5,
        "kind/swap_att": 1,
    }
    assert all(metric.low < metric.high and metric.chance == 0.5 for metric in section.metrics.values())
    assert section.outcomes["accuracy"].groups.tolist() == [0, 0, 0, 1]  # two choices on one image belong together


def test_aro_has_the_mean_over_relations_too_and_counts_four_captions_as_four(tmp_path):
    [section] = evaluate(ColourEncoder(), f"aro:{aro(tmp_path)}").sources[0].sections
    found = section.metrics
    assert found["kind/relation"].value == found["kind/relation_mean"].value == 1
    assert found["kind/coco_order"].value == 0.5  # "red blue" and "blue red" are the same bag of colours
    assert found["kind/coco_order"].chance == 0.25


def test_winoground_has_text_image_and_group_score_by_kind(tmp_path):
    [section] = evaluate(ColourEncoder(), f"winoground:{winoground(tmp_path)}").sources[0].sections
    found = values(section)
    assert section.task == "twins"
    assert found["captions"] == pytest.approx((1 + 0.25 + 1) / 3)
    assert found["group"] == pytest.approx((1 + 1 / 6 + 1) / 3)
    assert found["kind/object/group"] == 1
    assert found["kind/relation/images"] == pytest.approx((1 + 0.25) / 2)


def test_clevr_counts_are_labels_shown_in_the_prompt_for_counts(tmp_path):
    report = evaluate(ColourEncoder(), f"clevr:{clevr(tmp_path)}")
    [section] = report.sources[0].sections
    assert section.task == "zero_shot"
    assert section.templates == ("a photo of {} objects.",)
    assert evaluate(ColourEncoder(), f"clevr:{tmp_path}", templates="a {}").templates == ["a {}"]


@pytest.mark.parametrize("build", [sugarcrepe, aro, winoground])
def test_a_collapsed_model_scores_at_chance(tmp_path, build):
    [section] = evaluate(CollapsedEncoder(), f"{build.__name__}:{build(tmp_path)}").sources[0].sections
    for name, metric in section.metrics.items():
        assert metric.value == pytest.approx(metric.chance), name
    assert any("not distinguishable from guessing" in warning for warning in section.warnings)


def test_models_are_compared_on_the_same_choices(tmp_path):
    name = f"sugarcrepe:{sugarcrepe(tmp_path)}"
    comparison = compare([evaluate(encoder, name) for encoder in (CollapsedEncoder(), ColourEncoder())])
    [row] = comparison.differences
    assert (row.task, row.metric, row.difference, row.n) == ("choices", "accuracy", 0.25, 2)


def test_word_order_asks_the_same_words_in_three_other_orders():
    source = captioned_source()
    long = [f"{pair.captions[0]} on the wall" for pair in source.pairs]
    pairs = [type(pair)(pair.key, pair.picture, (caption,)) for pair, caption in zip(source.pairs, long, strict=True)]
    [section] = evaluate(ColourEncoder(), type(source)("walls", pairs), tasks=["word_order"]).sources[0].sections
    assert set(values(section)) >= {"kind/all_words", "kind/trigrams", "kind/within_trigrams"}
    assert set(values(section).values()) == {0.5}  # a bag of colours knows no order


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=9), st.integers(0, 99))
def test_a_reordered_caption_has_the_same_words_and_is_another_one(words, seed):
    caption = " ".join(words)
    for order in ("all_words", "trigrams", "within_trigrams"):
        found = reordered(caption, order, seed)
        assert found == reordered(caption, order, seed)
        if found is not None:
            assert found != caption
            assert sorted(found.split()) == sorted(words)


@given(st.data())
def test_choices_count_ties_as_often_as_a_random_order_would_be_right(data):
    level = st.sampled_from([0.0, 0.5, 1.0])
    own, wrong = data.draw(level), data.draw(st.lists(level, min_size=1, max_size=4))
    image = np.array([[1.0, 0.0]], np.float32)
    [found] = choice_scores(image, np.array([[own, 0]], np.float32), [np.array([[w, 0] for w in wrong], np.float32)])
    orders = list(itertools.permutations(range(len(wrong) + 1)))
    scores = [own, *wrong]
    first = sum(max(order, key=lambda i: (scores[i], -order.index(i))) == 0 for order in orders)
    assert found == pytest.approx(first / len(orders))


def test_chance_is_that_of_each_choice():
    assert choice_chance([("a",), ("a", "b", "c")]) == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_embeddings_that_are_no_numbers_are_refused():
    with pytest.raises(ModelError, match="not all finite"):
        choice_scores(np.array([[np.nan]]), np.array([[1.0]]), [np.array([[1.0]])])


def test_a_source_without_wrong_captions_says_what_choices_need():
    with pytest.raises(UsageError, match="Choices needs wrong captions"):
        evaluate(ColourEncoder(), labelled_source(), tasks=["choices"])
