import math

import numpy as np

from lexel.evaluation.few_shot import example_cache
from lexel.evaluation.few_shot.example_cache import class_affinities
from lexel.unit_vectors import unit


def test_an_affinity_is_tip_adapters_over_the_number_of_examples(monkeypatch):
    monkeypatch.setattr(example_cache, "BLOCK_AFFINITIES", 30)  # several blocks
    random = np.random.default_rng(0)
    images, examples = unit(random.normal(size=(11, 5))), unit(random.normal(size=(9, 5)))
    classes = np.array([0, 0, 0, 0, 1, 1, 3, 3, 3])
    found = class_affinities(images, examples, classes, 5.5, 4)
    for row, image in zip(found, images, strict=True):
        for label in range(4):
            mine = [
                math.exp(-5.5 * (1 - float(image @ e))) for e, c in zip(examples, classes, strict=True) if c == label
            ]
            assert math.isclose(row[label], sum(mine) / len(mine) if mine else 0.0, rel_tol=1e-5)
