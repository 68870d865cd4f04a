import numpy as np
import pytest
from colour_encoder import NAMES, Broken, CollapsedEncoder, ColourEncoder, painted

from lexel.calibration import Calibration
from lexel.curation.sources.alignment import align, embed_pictures
from lexel.data.pairs import Pair
from lexel.errors import ModelError
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.matching import generic_of

PAIRS = [
    painted("a", "red", captions=("red", "something blue")),
    Pair("b", Broken(), ("red",)),
    painted("c", "blue", "green", label="blue"),
    painted("d", "green", captions=("red",), label="green"),
    painted("e", "black"),
]


def test_each_text_is_judged_with_its_own_picture():
    encoder = ColourEncoder()
    vectors, kept = embed_pictures(encoder, PAIRS, None, "Embedding")
    found = align(encoder, PAIRS, vectors, kept)
    assert kept.tolist() == [0, 2, 3, 4]
    assert found.pair.tolist() == [0, 0, 2, 3]
    assert found.texts == ["red", "something blue", "blue", "red"]
    captions = encoder.embed_texts(["red", "something blue", "red"])
    texts = np.stack([*captions[:2], *label_embeddings(encoder, ["blue"]), captions[2]])
    wanted = (vectors[[0, 0, 1, 2]].astype(np.float64) * texts).sum(1)
    np.testing.assert_allclose(found.cosine, wanted, atol=1e-6)  # float32 products
    generic = generic_of(encoder, vectors)
    assert generic is not None
    np.testing.assert_allclose(found.match, generic.probability(vectors[[0, 0, 1, 2]], found.cosine), atol=1e-6)
    assert found.rank_score.argsort().tolist()[-1] in (0, 2)


def test_a_calibrated_model_tells_the_match_by_its_calibration():
    encoder = ColourEncoder()
    encoder.calibration = Calibration(slope=8.0, intercept=-3.0, pairs=10, expected_calibration_error=0.1, source="x")
    vectors, kept = embed_pictures(encoder, PAIRS, None, "Embedding")
    found = align(encoder, PAIRS, vectors, kept)
    np.testing.assert_allclose(found.match, encoder.calibration.probability(found.cosine))
    assert (found.rank_score.argsort() == found.cosine.argsort()).all()


class NoDirections(ColourEncoder):
    """A damaged model."""

    def embed_readable(self, images, what=None):
        vectors, kept, bad = super().embed_readable(images, what)
        return vectors * np.nan, kept, bad


def test_a_model_of_nans_is_named():
    with pytest.raises(ModelError, match="no directions"):
        embed_pictures(NoDirections(), PAIRS, None, "Embedding")


def test_sources_without_texts_or_pictures_have_no_scores():
    encoder = CollapsedEncoder()
    for pairs in ([], [painted(name, name) for name in NAMES], [Pair("b", Broken(), ("red",))]):
        vectors, kept = embed_pictures(encoder, pairs, None, "Embedding")
        found = align(encoder, pairs, vectors, kept)
        assert (found.texts, len(found.match), len(found.cosine)) == ([], 0, 0)
