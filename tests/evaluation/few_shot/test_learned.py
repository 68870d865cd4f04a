import json

import numpy as np
import pytest

from lexel.evaluation.few_shot.learned import Learned, learn
from lexel.unit_vectors import unit


def drawn(each: int, seed: int = 0):
    """Images of five classes, of which the texts tell something, and the examples more."""
    random = np.random.default_rng(7)
    middles = unit(random.normal(size=(5, 12)))
    texts = unit(middles + 0.35 * random.normal(size=(5, 12)))
    classes = np.repeat(np.arange(5), each)
    return unit(middles[classes] + 0.3 * np.random.default_rng(seed).normal(size=(len(classes), 12))), classes, texts


def right(learned: Learned, vectors: np.ndarray, classes: np.ndarray, texts: np.ndarray) -> float:
    return float((learned.logits(vectors, 20 * vectors @ texts.T).argmax(1) == classes).mean())


def test_the_accuracy_that_is_promised_is_the_one_that_new_images_give():
    vectors, classes, texts = drawn(30)
    learned = learn(vectors, classes, texts, 20.0)
    new_vectors, new_classes, _ = drawn(400, seed=1)
    measured = right(learned, new_vectors, new_classes, texts)
    zero_shot = float(((new_vectors @ texts.T).argmax(1) == new_classes).mean())
    assert learned.expected is not None
    assert learned.expected.low <= measured <= learned.expected.high
    assert measured > zero_shot
    assert learned.zero_shot.low <= zero_shot <= learned.zero_shot.high
    assert learned.counts == (150, 5, 5)


def test_with_one_example_a_class_a_cautious_strength_is_taken_and_nothing_promised():
    vectors, classes, texts = drawn(1)
    learned = learn(vectors, classes, texts, 20.0)
    assert learned.expected is None
    assert learned.strengths.penalty is not None
    new_vectors, new_classes, _ = drawn(400, seed=1)
    zero_shot = float(((new_vectors @ texts.T).argmax(1) == new_classes).mean())
    assert right(learned, new_vectors, new_classes, texts) >= zero_shot - 0.03  # the standard error is 0.01


def test_with_one_example_a_class_words_that_say_nothing_do_not_stand_in_its_way():
    vectors, classes, texts = drawn(1)
    strange = texts[[2, 3, 4, 0, 1]]
    learned = learn(vectors, classes, strange, 20.0)
    new_vectors, new_classes, _ = drawn(400, seed=1)
    assert learned.strengths.texts < 0.2
    nearest = float(((new_vectors @ vectors.T).argmax(1) == new_classes).mean())
    assert right(learned, new_vectors, new_classes, strange) >= nearest - 0.05


def test_an_example_that_is_there_twice_counts_once():
    vectors, classes, texts = drawn(6)
    once, twice = (learn(np.tile(vectors, (n, 1)), np.tile(classes, n), texts, 20.0) for n in (1, 2))
    assert once.facts() == twice.facts()


def test_what_was_learned_comes_back_from_its_tensors():
    vectors, classes, texts = drawn(8)
    learned = learn(vectors, classes, texts, 20.0)
    back = Learned.read(json.dumps(learned.facts()), learned.tensors(), texts.shape)
    assert back.facts() == learned.facts()
    np.testing.assert_array_equal(back.logits(vectors, vectors @ texts.T), learned.logits(vectors, vectors @ texts.T))


@pytest.mark.parametrize("name", ["head", "examples", "example_classes"])
def test_tensors_that_do_not_fit_are_refused(name):
    vectors, classes, texts = drawn(8)
    learned = learn(vectors, classes, texts, 20.0)
    wrong = learned.tensors() | {name: np.full((3, 3), 9)}
    with pytest.raises(ValueError, match="does not fit"):
        Learned.read(json.dumps(learned.facts()), wrong, texts.shape)
