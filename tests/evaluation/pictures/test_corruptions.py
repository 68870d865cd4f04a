from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from lexel.evaluation.pictures.corruptions import CORRUPTIONS, STRENGTHS, CorruptedPicture


class Pattern:
    def load(self):
        random = np.random.default_rng(0)
        coarse = random.integers(40, 220, (6, 8, 3), dtype=np.uint8)
        return Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_damage_grows_with_its_strength_and_keeps_the_size(name):
    clean = np.asarray(Pattern().load(), float)
    damage = []
    for strength in STRENGTHS:
        image = CorruptedPicture(Pattern(), name, strength, seed=1).load()
        assert (image.size, image.mode) == ((80, 60), "RGB")
        damage.append(np.abs(np.asarray(image, float) - clean).mean())
    assert 0 < damage[0] < damage[-1]
    if name not in ("scale", "rotation"):  # of which a pattern's pixels may come to lie on their like
        assert all(later > earlier for earlier, later in pairwise(damage))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_picture_is_damaged_in_the_same_way(name):
    one, other = (CorruptedPicture(Pattern(), name, 3, seed=9).load().tobytes() for _ in range(2))
    assert one == other


def test_a_tiny_picture_can_be_damaged():
    class Dot:
        def load(self):
            return Image.new("L", (1, 1))

    for name in CORRUPTIONS:
        assert CorruptedPicture(Dot(), name, 5, seed=0).load().size == (1, 1)
