import numpy as np
import pytest
from colour_encoder import NAMES, Broken, CollapsedEncoder, ColourEncoder, Painted, labelled_source, painted

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, ModelError, UsageError
from lexel.evaluation.ranking import rank_captions
from lexel.evaluation.zero_shot import ZeroShotClassifier, label_embeddings, zero_shot


def test_a_label_embedding_is_the_normalised_mean_of_its_prompts():
    encoder = ColourEncoder()
    vectors = label_embeddings(encoder, ["red", "blue"], ["a {}", "{} and green"])
    expected = encoder.embed_texts(["a blue", "blue and green"]).mean(0)
    np.testing.assert_allclose(vectors[1], expected / np.linalg.norm(expected), rtol=1e-6)
    assert vectors.shape == (2, 8)


def test_images_are_named_with_probabilities_best_first():
    classifier = ZeroShotClassifier(ColourEncoder(), NAMES)
    ranked = classifier.classify([Painted(("blue",)), Painted(("red", "red", "black"))], top=2)
    assert [[label for label, _ in row] for row in ranked] == [["blue", "red"], ["red", "black"]]
    assert sum(p for _, p in classifier.classify([Painted(("blue",))], top=99)[0]) == pytest.approx(1)
    assert classifier.classify([]) == []


def test_a_sigmoid_loss_model_judges_each_label_by_itself():
    encoder = ColourEncoder()
    encoder.logit_bias = -5.0
    [row] = ZeroShotClassifier(encoder, ["red", "blue"], "plain").classify([Painted(("red",))])
    assert row[0][1] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-3)
    assert row[1][1] == pytest.approx(1 / (1 + np.exp(5)), abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "message"), [([], "No labels"), (["a", "b", "a"], "more than once: a"), ("ab", "list")]
)
def test_labels_that_cannot_be_meant_are_refused(labels, message):
    with pytest.raises(UsageError, match=message):
        ZeroShotClassifier(ColourEncoder(), labels)


def test_a_classifier_comes_back_from_its_file_as_it_was(tmp_path):
    saved = ZeroShotClassifier(ColourEncoder(), NAMES, ["{}", "a {} thing"])
    saved.save(tmp_path / "c.safetensors")
    loaded = ZeroShotClassifier.load(tmp_path / "c.safetensors", ColourEncoder())
    assert (loaded.labels, loaded.templates) == (saved.labels, saved.templates)
    images = [Painted(("cyan", "blue", "blue"))]
    assert loaded.classify(images) == saved.classify(images)


def test_a_classifier_of_another_model_is_refused_with_both_named(tmp_path):
    ZeroShotClassifier(ColourEncoder(), NAMES).save(tmp_path / "c.safetensors")
    other = ColourEncoder()
    other.name, other.fingerprint = "other", "0defaced"
    with pytest.raises(ModelError, match=r"colours \(fingerprint c010c010\).*other \(fingerprint 0defaced\)"):
        ZeroShotClassifier.load(tmp_path / "c.safetensors", other)


@pytest.mark.parametrize("content", [b"", b"not a tensor file at all", b"\xff" * 100])
def test_a_damaged_classifier_file_is_refused(tmp_path, content):
    (tmp_path / "c.safetensors").write_bytes(content)
    with pytest.raises(ModelError):
        ZeroShotClassifier.load(tmp_path / "c.safetensors", ColourEncoder())
    with pytest.raises(UsageError, match="no classifier"):
        ZeroShotClassifier.load(tmp_path / "absent", ColourEncoder())


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


def test_captions_are_ranked_for_an_image():
    ranked = rank_captions(ColourEncoder(), Painted(("green",)), ["all red", "all green", "nothing"])
    assert ranked[0][0] == "all green"
    assert sum(p for _, p in ranked) == pytest.approx(1)
    with pytest.raises(UsageError):
        rank_captions(ColourEncoder(), Painted(("green",)), [])
