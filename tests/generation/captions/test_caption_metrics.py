"""BLEU, ROUGE-L and CIDEr-D against plain restatements of the papers' formulas, and pycocoevalcap where it is there."""

import itertools
import math
import random

import numpy as np
import pytest

from lexel.generation.captions.metrics.bleu import bleu, bleu_counts
from lexel.generation.captions.metrics.cider import cider_d
from lexel.generation.captions.metrics.clip_score import clip_scores, ref_clip_scores
from lexel.generation.captions.metrics.diversity import copied, distinct_n
from lexel.generation.captions.metrics.rouge import common_subsequence, rouge_l
from lexel.generation.captions.metrics.words import words_of

dice = random.Random(4)
NOUNS = ["dog", "cat", "boat", "hill", "tree", "road"]


def sentence() -> list[str]:
    return [dice.choice(["a", "the", "red", "on", "runs", *NOUNS]) for _ in range(dice.randint(1, 9))]


CAPTIONS = [sentence() for _ in range(25)]
REFERENCES = [[sentence() for _ in range(dice.randint(1, 5))] for _ in CAPTIONS]
for caption, wanted in zip(CAPTIONS[::3], REFERENCES[::3], strict=True):
    wanted[0] = [*caption[:-1], "far", "away"]  # some that agree in long runs


def grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def plain_bleu() -> float:
    precisions = []
    for n in range(1, 5):
        right = count = 0
        for caption, wanted in zip(CAPTIONS, REFERENCES, strict=True):
            found = grams(caption, n)
            count += len(found)
            for gram in set(found):
                right += min(found.count(gram), max(grams(one, n).count(gram) for one in wanted))
        precisions.append(right / count)
    length = sum(map(len, CAPTIONS))
    closest = 0
    for caption, wanted in zip(CAPTIONS, REFERENCES, strict=True):
        closest += sorted(map(len, wanted), key=lambda one: (abs(one - len(caption)), one))[0]
    penalty = 1.0 if length > closest else math.exp(1 - closest / length)
    return penalty * math.prod(precisions) ** 0.25


def plain_cider(caption: list[str], wanted: list[list[str]]) -> float:
    total = 0.0
    for n in range(1, 5):
        every = sorted(
            {gram for group in REFERENCES for one in group for gram in grams(one, n)} | set(grams(caption, n))
        )
        documents = [max(1, sum(any(g in grams(one, n) for one in group) for group in REFERENCES)) for g in every]
        idf = np.log(len(REFERENCES) / np.array(documents, float)) if every else np.zeros(0)
        mine = np.array([grams(caption, n).count(g) for g in every]) * idf
        for one in wanted:
            theirs = np.array([grams(one, n).count(g) for g in every]) * idf
            norms = np.linalg.norm(mine) * np.linalg.norm(theirs)
            if norms:
                gauss = math.exp(-((len(caption) - len(one)) ** 2) / (2 * 6**2))
                total += gauss * (np.minimum(mine, theirs) @ theirs) / norms / len(wanted)
    return 10 * total / 4


def test_bleu_is_the_papers():
    assert bleu(bleu_counts(CAPTIONS, REFERENCES)) == pytest.approx(plain_bleu(), rel=1e-9)
    assert 0.05 < plain_bleu() < 0.9


def test_weights_of_bleu_count_captions_as_often():
    counts = bleu_counts(CAPTIONS, REFERENCES)
    weights = np.array([k % 3 for k in range(len(CAPTIONS))], float)
    assert bleu(counts, weights) == pytest.approx(bleu(np.repeat(counts, weights.astype(int), axis=0)), rel=1e-12)


def test_a_caption_without_a_run_of_four_words_in_common_scores_nothing():
    assert bleu(bleu_counts([["a", "dog"]], [[["a", "dog"]]])) == 0


def test_bleu_takes_the_shorter_of_two_references_that_are_equally_near():
    assert bleu_counts([["a"] * 5], [[["b"] * 6, ["b"] * 4]])[0, :2].tolist() == [5, 4]


def test_cider_is_the_papers():
    expected = [plain_cider(caption, wanted) for caption, wanted in zip(CAPTIONS[:7], REFERENCES[:7], strict=True)]
    np.testing.assert_allclose(cider_d(CAPTIONS, REFERENCES)[:7], expected, rtol=1e-9, atol=1e-12)
    assert max(expected) > 1


def test_the_common_subsequence_is_the_longest_of_all():
    for one, other in zip(CAPTIONS[:12], (group[0] for group in REFERENCES), strict=False):
        every = {sub for n in range(len(one) + 1) for sub in itertools.combinations(one, n)}
        there = {sub for n in range(len(other) + 1) for sub in itertools.combinations(other, n)}
        assert common_subsequence(one, other) == max(len(sub) for sub in every & there)


def test_rouge_weighs_the_best_recall_and_the_best_precision():
    caption, *wanted = map(str.split, ("police killed the gunman", "police kill the gunman", "the gunman"))
    precision, recall, beta = 3 / 4, 2 / 2, 1.2
    expected = (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
    assert rouge_l(caption, wanted) == pytest.approx(expected)
    assert rouge_l(["x"], wanted) == 0
    assert rouge_l([], wanted) == 0


def test_all_three_agree_with_pycocoevalcap():
    pytest.importorskip("pycocoevalcap")
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer
    from pycocoevalcap.cider.cider_scorer import CiderScorer
    from pycocoevalcap.rouge.rouge import Rouge

    bleus, ciders = BleuScorer(n=4), CiderScorer(n=4, sigma=6.0)
    for caption, wanted in zip(CAPTIONS, REFERENCES, strict=True):
        texts = [" ".join(one) for one in wanted]
        bleus += (" ".join(caption), texts)
        ciders += (" ".join(caption), texts)
        peer = Rouge().calc_score([" ".join(caption)], texts)
        assert rouge_l(caption, wanted) == pytest.approx(peer, rel=1e-9, abs=1e-12)
    assert bleu(bleu_counts(CAPTIONS, REFERENCES)) == pytest.approx(
        bleus.compute_score(option="closest")[0][3], rel=1e-6
    )
    np.testing.assert_allclose(cider_d(CAPTIONS, REFERENCES), ciders.compute_score()[1], rtol=1e-6, atol=1e-9)


def test_words_are_lower_case_and_without_punctuation():
    assert words_of("A man's dog, 3 cats -- and ÉTÉ!") == ["a", "man's", "dog", "3", "cats", "and", "été"]


def test_clip_scores_are_cosines_stretched_and_never_negative():
    pictures = np.array([[1, 0], [1, 0], [0.6, 0.8]], np.float32)
    captions = np.array([[0.6, 0.8], [-1, 0], [0.6, 0.8]], np.float32)
    np.testing.assert_allclose(clip_scores(pictures, captions), [1.5, 0, 2.5], rtol=1e-6)
    references = [np.array([[0, 1], [0.8, 0.6]], np.float32), captions[1:2], -captions[2:]]
    near = 0.96
    np.testing.assert_allclose(
        ref_clip_scores(pictures, captions, references), [2 * 1.5 * near / (1.5 + near), 0, 0], rtol=1e-6
    )


def test_distinct_runs_and_copies_are_counted():
    captions = [["a", "dog"], ["a", "dog"], ["a", "cat"]]
    assert distinct_n(captions, 1) == pytest.approx(3 / 6)
    assert distinct_n(captions, 2) == pytest.approx(2 / 3)
    assert distinct_n([["a"]], 2) == 0
    assert copied(["A dog.", "a cat"], ["a dog", "two cats"]) == [True, False]
