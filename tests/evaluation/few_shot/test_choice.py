import numpy as np

from lexel.evaluation.few_shot.choice import CANDIDATES, Strengths, choose_strengths, first_place, text_factor
from lexel.unit_vectors import unit


def clusters(each: int, labels: int = 5, width: int = 16, spread: float = 0.15, seed: int = 0):
    """Tight clusters of images, and texts that have nothing to do with them."""
    random = np.random.default_rng(seed)
    middles, texts = unit(random.normal(size=(labels, width))), unit(random.normal(size=(labels, width)))
    classes = np.repeat(np.arange(labels), each)
    return unit(middles[classes] + spread * random.normal(size=(len(classes), width))), classes, texts


def test_what_the_examples_tell_and_the_words_do_not_is_learned():
    vectors, classes, texts = clusters(6)
    choice = choose_strengths(vectors, classes, texts, 20.0, 0)
    assert not choice.strengths.none
    assert choice.hits.mean() > 0.9
    assert choice.zero_shot_hits.mean() < 0.6


def test_labels_that_nothing_tells_of_leave_zero_shot_and_promise_no_more():
    promised, kept = [], []
    for seed in range(6):
        random = np.random.default_rng(seed)
        vectors, texts = unit(random.normal(size=(60, 16))), unit(random.normal(size=(5, 16)))
        choice = choose_strengths(vectors, random.integers(5, size=60), texts, 20.0, seed)
        promised.append(choice.hits.mean())
        kept.append(choice.strengths.none)
    # Guessing gives 0.2 with a standard error of 0.021 over 360 examples. The best of all candidates looks better.
    assert abs(np.mean(promised) - 0.2) < 4 * 0.021
    assert any(kept)


def test_words_that_are_always_right_are_left_alone():
    vectors, classes, texts = clusters(4)
    texts = unit(np.stack([vectors[classes == label].mean(0) for label in range(5)]))
    assert choose_strengths(vectors, classes, texts, 20.0, 0).strengths == Strengths()


def test_the_only_example_of_a_class_is_never_asked_for():
    vectors, classes, texts = clusters(4)
    kept = (classes != 2) | (np.arange(len(classes)) == np.flatnonzero(classes == 2)[0])
    choice = choose_strengths(vectors[kept], classes[kept], texts, 20.0, 0)
    assert len(choice.hits) == 16
    single = choose_strengths(vectors[::4], classes[::4], texts, 20.0, 0)
    assert single.strengths.none
    assert not len(single.hits)


def test_zero_shot_is_the_first_candidate_and_ties_are_shared():
    assert CANDIDATES[0] == Strengths()
    assert len(set(CANDIDATES)) == len(CANDIDATES)
    assert first_place(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]]), np.array([0, 2])).tolist() == [0.5, 0.0]


def test_words_count_for_as_much_as_they_say_of_the_examples():
    vectors, classes, texts = clusters(4)
    fitting = unit(np.stack([vectors[classes == label].mean(0) for label in range(5)]))
    assert text_factor(vectors, classes, fitting, 20.0) == 1.0
    assert text_factor(vectors, classes, texts, 20.0) < 0.2
    half = 0.5 * texts + 0.5 * fitting
    assert text_factor(vectors, classes, texts, 20.0) <= text_factor(vectors, classes, half, 20.0) <= 1.0
