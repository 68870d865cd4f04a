import pytest
from colour_encoder import ColourEncoder, Painted

from lexel.errors import UsageError
from lexel.evaluation.ranking import rank_captions


def test_captions_are_ranked_for_an_image():
    ranked = rank_captions(ColourEncoder(), Painted(("green",)), ["all red", "all green", "nothing"])
    assert ranked[0][0] == "all green"
    assert sum(p for _, p in ranked) == pytest.approx(1)
    with pytest.raises(UsageError):
        rank_captions(ColourEncoder(), Painted(("green",)), [])
