import numpy as np
import pytest
from colour_encoder import ColourEncoder, captioned_source, labelled_source, painted

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.evaluate import evaluate


class NoisyEncoder(ColourEncoder):
    """Right about half of the time; only captions that read the same tie."""

    def _image(self, image):
        vector = super()._image(image)
        noise = np.random.default_rng(int(1e6 * vector.sum())).normal(size=len(vector)) * 0.25
        return (vector + noise) / np.linalg.norm(vector + noise)


def own_captions() -> Source:
    pairs = [
        painted(f"{pair.key}", *pair.key.split("-"), captions=(pair.captions[0], f"{pair.captions[0]} {i * '.'} red"))
        for i, pair in enumerate(captioned_source().pairs)
    ]
    return Source("own", pairs)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_equals_the_published_definition(k):
    """As CLIP_benchmark: a caption's own image among the k best; any own caption among an image's k best."""
    source, encoder = own_captions(), NoisyEncoder()
    images = encoder.embed_images([pair.picture for pair in source.pairs])
    texts = encoder.embed_texts([caption for pair in source.pairs for caption in pair.captions])
    scores = texts @ images.T
    image_of = np.repeat(np.arange(len(images)), 2)
    to_image = np.mean([own in np.argsort(-row)[:k] for own, row in zip(image_of, scores, strict=True)])
    to_text = np.mean([(image_of[np.argsort(-column)[:k]] == i).any() for i, column in enumerate(scores.T)])
    metrics = evaluate(encoder, source, tasks=["published_retrieval"]).metrics()
    assert metrics[f"published_retrieval/text_to_image/recall@{k}"] == pytest.approx(to_image, abs=1e-6)
    assert metrics[f"published_retrieval/image_to_text/recall@{k}"] == pytest.approx(to_text, abs=1e-6)


def test_a_shared_caption_is_a_query_of_each_of_its_images():
    [section] = evaluate(ColourEncoder(), captioned_source(), tasks=["published_retrieval"]).sources[0].sections
    captions = sum(len(pair.captions) for pair in captioned_source().pairs)
    assert f"{captions:,} captions" in section.headline
    assert len(section.outcomes["text_to_image/recall@1"].values) == captions
    apart = evaluate(ColourEncoder(), captioned_source(), tasks=["retrieval"]).metrics()
    assert section.metrics["text_to_image/recall@1"].value < apart["retrieval/text_to_image/recall@1"]


def test_single_captions_are_left_to_the_other_task():
    with pytest.raises(UsageError, match="one of them with several captions"):
        evaluate(ColourEncoder(), labelled_source(), tasks=["published_retrieval"])
