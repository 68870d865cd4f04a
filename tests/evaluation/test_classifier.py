import numpy as np
import pytest
from colour_encoder import NAMES, ColourEncoder, Painted

from lexel.errors import ModelError, UsageError
from lexel.evaluation.classifier import ZeroShotClassifier, label_embeddings


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


def test_no_label_is_given_for_an_embedding_that_is_not_finite():
    class Damaged(ColourEncoder):
        def embed_readable(self, images, what=None):
            vectors, kept, bad = super().embed_readable(images, what)
            return vectors * np.nan, kept, bad

    with pytest.raises(ModelError, match=r"gives 1 of 1 vectors that are no directions(.|\n)+first for image 1\."):
        ZeroShotClassifier(Damaged(), ["red", "blue"]).judge([Painted(("red",))])


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


STRIPES = [Painted((a, b)) for a, b in (("red", "white"), ("red", "black"), ("blue", "white"), ("blue", "black"))]
NAMED = ["warm", "warm", "cold", "cold"]  # words of which the encoder knows nothing


def learned_classifier() -> ZeroShotClassifier:
    classifier = ZeroShotClassifier(ColourEncoder(), ["warm", "cold"], "plain")
    classifier.fit([*STRIPES, Painted(("red",)), Painted(("blue",))], [*NAMED, "warm", "cold"])
    return classifier


def test_a_classifier_learns_from_examples_what_its_words_do_not_tell():
    classifier = learned_classifier()
    assert classifier.learned is not None
    assert classifier.learned.expected is not None
    assert classifier.learned.expected.value > classifier.learned.zero_shot.value
    named = classifier.classify([Painted(("red", "green")), Painted(("blue", "green"))], top=2)
    assert [row[0][0] for row in named] == ["warm", "cold"]
    assert sum(chance for _, chance in named[0]) == pytest.approx(1)


def test_without_examples_it_is_zero_shot_again():
    classifier = learned_classifier()
    assert classifier.fit([], []) is None
    plain = ZeroShotClassifier(ColourEncoder(), ["warm", "cold"], "plain")
    assert classifier.classify(STRIPES) == plain.classify(STRIPES)


def test_a_classifier_that_has_learned_comes_back_from_its_file(tmp_path):
    saved = learned_classifier()
    saved.save(tmp_path / "c.safetensors")
    loaded = ZeroShotClassifier.load(tmp_path / "c.safetensors", ColourEncoder())
    assert loaded.classify(STRIPES) == saved.classify(STRIPES)
    assert loaded.learned is not None
    assert loaded.learned.facts() == saved.learned.facts()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["warm"], "4 images and 1 label"),
        (["warm", "warm", "cold", "colt"], 'image 4, "colt", is not one of the 2 labels .* Did you mean "cold"'),
        ("warm", "give one for each"),
    ],
)
def test_examples_whose_labels_do_not_fit_are_refused(labels, message):
    with pytest.raises(UsageError, match=message):
        ZeroShotClassifier(ColourEncoder(), ["warm", "cold"]).fit(STRIPES, labels)
