import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, captioned_source, labelled_source

from lexel.data.pairs import Source
from lexel.errors import DataError, UsageError
from lexel.evaluation.tasks.finding.retrieval import retrieval


class NoisyEncoder(ColourEncoder):
    """Right about half of the time, and without ties."""

    def _image(self, image):
        vector = super()._image(image)
        noise = np.random.default_rng(int(1e6 * vector.sum())).normal(size=len(vector)) * 0.25
        return (vector + noise) / np.linalg.norm(vector + noise)


def brute_force(encoder, source, k):
    """Recall@k in both directions and the chance of each, by the definition."""
    captions = list(dict.fromkeys(c for pair in source.pairs for c in pair.captions))
    scores = encoder.embed_images([p.picture for p in source.pairs]) @ encoder.embed_texts(captions).T
    belongs = np.array([[c in pair.captions for c in captions] for pair in source.pairs])
    to_text = np.mean([row[np.argsort(-score)[:k]].any() for row, score in zip(belongs, scores, strict=True)])
    to_image = np.mean([row[np.argsort(-score)[:k]].any() for row, score in zip(belongs.T, scores.T, strict=True)])
    return to_text, to_image


@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_with_shared_captions_equals_brute_force(k):
    source = captioned_source()
    result = retrieval(NoisyEncoder(), source)
    to_text, to_image = brute_force(NoisyEncoder(), source, k)
    assert result.image_to_text[f"recall@{k}"].value == pytest.approx(to_text)
    assert result.text_to_image[f"recall@{k}"].value == pytest.approx(to_image)


def test_chance_is_what_random_embeddings_get_on_average():
    source = captioned_source()

    class RandomEncoder(ColourEncoder):
        rng = np.random.default_rng(0)

        def embed_texts(self, texts):
            return self.rng.normal(size=(len(texts), 64)).astype(np.float32)

        def _image(self, image):
            return self.rng.normal(size=64)

    runs = [retrieval(RandomEncoder(), source) for _ in range(30)]
    for direction in ("image_to_text", "text_to_image"):
        got = np.mean([getattr(run, direction)["recall@5"].value for run in runs])
        assert got == pytest.approx(getattr(runs[0], direction)["recall@5"].chance, abs=0.05)


def test_a_collapsed_model_scores_exactly_at_chance():
    result = retrieval(CollapsedEncoder(), captioned_source())
    for metrics in (result.image_to_text, result.text_to_image):
        for k in (1, 5, 10):
            assert metrics[f"recall@{k}"].value == pytest.approx(metrics[f"recall@{k}"].chance)
        assert metrics["median_rank"].value > 2


def test_captions_are_counted_once_and_belong_to_every_image_that_carries_them():
    result = retrieval(ColourEncoder(), captioned_source())
    shared = result.captions.index("something black")
    assert len(result.captions) == len(set(result.captions))
    assert [result.pairs[row].key for row in result.images_of_caption[shared]] == [
        pair.key for pair in captioned_source().pairs if pair.key.startswith("black")
    ]
    assert result.image_to_text["median_rank"].value == 1


def test_a_source_without_captions_is_refused():
    with pytest.raises(UsageError, match="0 captioned images"):
        retrieval(ColourEncoder(), labelled_source())
    with pytest.raises(DataError, match="none of its 0 images"):
        retrieval(ColourEncoder(), Source("empty", []))
