"""Classify, rank and similarity say what the evaluation's own functions say."""

import numpy as np
import pytest
from serving import assert_problem, data_url, png

from lexel.evaluation.classifier import ZeroShotClassifier
from lexel.evaluation.matching import match_of
from lexel.evaluation.ranking import judge_captions

LABELS = ["red circle", "blue square", "nothing"]
ROUNDING = 1e-4  # of probabilities: cosines within 1e-5, times a logit scale of 14


@pytest.mark.parametrize("templates", ["photo", "plain", ["a {} here", "{}"]])
def test_classify_agrees_with_the_classifier(api, encoder, templates):
    asked = {"image": data_url(png("red")), "labels": LABELS, "templates": templates}
    answered = api.post("/v1/classify", json=asked).json()["labels"]
    [wanted] = ZeroShotClassifier(encoder, LABELS, templates).judge([png("red")], top=3)[0].values()
    assert {one["label"] for one in answered} == set(LABELS)
    by_label = {one.text: one for one in wanted}
    for one in answered:
        assert one["probability"] == pytest.approx(by_label[one["label"]].probability, abs=ROUNDING)
        assert one["match"] == pytest.approx(by_label[one["label"]].match, abs=1e-2)  # generic texts' spread is tiny
    assert [one["probability"] for one in answered] == sorted((o["probability"] for o in answered), reverse=True)


def test_classify_takes_a_form_and_gives_the_best_only(api):
    answer = api.post("/v1/classify", files={"image": png("red")}, data={"labels": LABELS, "top": "1"})
    assert len(answer.json()["labels"]) == 1


def test_captions_are_ranked_as_the_ranking_does(api, encoder):
    captions = ["a red circle", "a blue square on the left"]
    ranked = api.post("/v1/rank", json={"image": data_url(png("blue")), "captions": captions}).json()["ranked"]
    wanted = judge_captions(encoder, png("blue"), captions)
    assert [one["caption"] for one in ranked] == [one.text for one in wanted]
    assert [captions[one["index"]] for one in ranked] == [one.text for one in wanted]
    np.testing.assert_allclose(
        [one["probability"] for one in ranked], [one.probability for one in wanted], atol=ROUNDING
    )


def test_pictures_are_ranked_by_their_cosine_with_the_caption(api, encoder):
    pictures = [png(colour) for colour in ("red", "green", "blue")]
    asked = {"caption": "a red circle", "images": [data_url(picture) for picture in pictures]}
    ranked = api.post("/v1/rank", json=asked).json()["ranked"]
    cosines = encoder.similarity(pictures, ["a red circle"])[:, 0]
    np.testing.assert_allclose([one["cosine"] for one in ranked], cosines[[o["index"] for o in ranked]], atol=1e-5)
    assert [one["cosine"] for one in ranked] == sorted((one["cosine"] for one in ranked), reverse=True)
    assert sum(one["probability"] for one in ranked) == pytest.approx(1)


def test_similarity_is_a_matrix_of_images_by_texts(api, encoder):
    pictures, texts = [png("red"), png("navy")], ["a red circle", "nothing", "a blue square"]
    asked = {"images": [data_url(picture) for picture in pictures], "texts": texts}
    answered = api.post("/v1/similarity", json=asked).json()
    cosines = encoder.similarity(pictures, texts)
    np.testing.assert_allclose(answered["cosines"], cosines, atol=1e-5)
    np.testing.assert_allclose(answered["probabilities"], encoder.probabilities_of(cosines), atol=ROUNDING)
    matches = match_of(encoder, encoder.embed_images(pictures), cosines)
    np.testing.assert_allclose(answered["matches"], matches, atol=1e-2)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("classify", {"labels": []}, "invalid-request"),
        ("classify", {"labels": [" "]}, "invalid-request"),
        ("classify", {"labels": ["cat", "cat"]}, "not-possible"),
        ("classify", {"labels": ["cat"], "templates": "phot"}, "not-possible"),
        (
            "classify",
            {"labels": ["cat"], "templates": [f"{{}} {n}" for n in range(33)]},
            "too-many-templates",
        ),
        ("classify", {"labels": [f"label {i}" for i in range(10_000)]}, "too-many-labels"),
        ("rank", {"captions": []}, "invalid-request"),
        ("rank", {"captions": ["a"], "caption": "a"}, "invalid-request"),
        ("rank", {}, "invalid-request"),
    ],
)
def test_what_cannot_be_judged_is_refused(api, path, body, kind):
    assert_problem(api.post(f"/v1/{path}", json={"image": data_url(png()), **body}), 422, kind)
