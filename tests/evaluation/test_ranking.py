import numpy as np
import pytest
from colour_encoder import ColourEncoder, Painted

from lexel.errors import ModelError, UsageError
from lexel.evaluation.ranking import judge_each, rank_captions


def test_captions_are_ranked_for_an_image():
    ranked = rank_captions(ColourEncoder(), Painted(("green",)), ["all red", "all green", "nothing"])
    assert ranked[0][0] == "all green"
    assert sum(p for _, p in ranked) == pytest.approx(1)
    with pytest.raises(UsageError):
        rank_captions(ColourEncoder(), Painted(("green",)), [])


def test_no_caption_is_ranked_for_an_embedding_that_is_not_finite():
    class Damaged(ColourEncoder):
        def embed_readable(self, images, what=None):
            vectors, kept, bad = super().embed_readable(images, what)
            return vectors * np.nan, kept, bad

    with pytest.raises(ModelError, match=r"gives 1 of 1 vectors that are no directions(.|\n)+first for image 1\."):
        judge_each(Damaged(), [Painted(("red",))], ["red", "blue"])
