import itertools
import math

import numpy as np
import pytest
import torch

from lexel.generation.captions.decoder import CaptionDecoder, DecoderConfig, KeysAndValues
from lexel.generation.captions.search import SearchSettings, Vocabulary, beam_search, sample

START, END, WORDS = 0, 1, 6  # the last is the size of the vocabulary
VOCABULARY = Vocabulary(START, END, longest=4, never=(START,))


@pytest.fixture(scope="module")
def decoder() -> CaptionDecoder:
    """Small, with large random weights, so that its sentences have clearly different probabilities."""
    config = DecoderConfig(
        embedding=8, vocabulary_size=WORDS, context_length=6, width=16, depth=2, heads=2, prefix=2, dropout=0
    )
    decoder = CaptionDecoder(config)
    decoder.init_weights(3)
    with torch.no_grad():
        for parameter in decoder.parameters():
            if parameter.ndim > 1:
                parameter.mul_(6)
    return decoder.eval()


@pytest.fixture(scope="module")
def vectors() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1)


def log_probability(decoder: CaptionDecoder, vector: torch.Tensor, ids: list[int]) -> float:
    """Of the tokens behind the start, without the cache; start is never said, and the end never first."""
    with torch.no_grad():
        logits = decoder(vector[None], torch.tensor([[START, *ids[:-1]]]))[0].double()
    logits[:, START] = -math.inf
    logits[0, END] = -math.inf
    logs = torch.log_softmax(logits, 1)
    return float(sum(logs[place, token] for place, token in enumerate(ids)))


def all_sentences(longest: int) -> list[list[int]]:
    said = range(2, WORDS)
    ended = [[*words, END] for n in range(1, longest) for words in itertools.product(said, repeat=n)]
    return ended + [list(words) for words in itertools.product(said, repeat=longest)]


@pytest.mark.parametrize("length_penalty", [0.0, 0.7])
def test_a_beam_that_holds_everything_finds_the_best_of_all_sentences(decoder, vectors, length_penalty):
    found = beam_search(decoder, vectors, VOCABULARY, 1500, length_penalty)
    for vector, sentences in zip(vectors, found, strict=True):
        scored = [(log_probability(decoder, vector, ids), ids) for ids in all_sentences(4)]
        expected = sorted((total / len(ids) ** length_penalty for total, ids in scored), reverse=True)
        assert len(sentences) == len(scored)
        np.testing.assert_allclose([one.score for one in sentences], expected, atol=1e-4)
        best = max(scored, key=lambda one: one[0] / len(one[1]) ** length_penalty)[1]
        assert sentences[0].ids == [token for token in best if token != END]
        assert math.isclose(sum(math.exp(one.log_probability) for one in sentences), 1, abs_tol=1e-4)


def test_one_beam_is_greedy(decoder, vectors):
    for vector, (sentence,) in zip(vectors, beam_search(decoder, vectors, VOCABULARY, 1, 0.7), strict=True):
        ids: list[int] = []
        while len(ids) < 4 and END not in ids:
            ids.append(
                max(range(1 if ids else 2, WORDS), key=lambda token: log_probability(decoder, vector, [*ids, token]))
            )
        assert sentence.ids == [token for token in ids if token != END]


@pytest.mark.parametrize("beams", [1, 3])
def test_a_picture_gets_the_same_sentences_alone_and_among_others(decoder, vectors, beams):
    together = beam_search(decoder, vectors, VOCABULARY, beams, 0.7)
    alone = [beam_search(decoder, vector[None], VOCABULARY, beams, 0.7)[0] for vector in vectors]
    assert [[one.ids for one in row] for row in together] == [[one.ids for one in row] for row in alone]


def test_cached_steps_equal_the_whole_sentence_at_once(decoder, vectors):
    ids = torch.tensor([[START, 2, 4, 3], [START, 5, 5, 2], [START, 3, 2, 2]])
    with torch.no_grad():
        whole = decoder(vectors[:3], ids)
        logits, cache = decoder.start(vectors[:3], START)
        for place in range(4):
            torch.testing.assert_close(logits, whole[:, place], atol=1e-5, rtol=1e-4)
            if place < 3:
                logits = decoder.next(ids[:, place + 1], cache)
        assert isinstance(cache, KeysAndValues)
        assert cache.length == 2 + 4  # prefix and tokens


def test_a_token_is_blind_to_those_behind_it_and_sees_the_vector(decoder, vectors):
    one, other = torch.tensor([[START, 2, 3]]), torch.tensor([[START, 2, 5]])
    with torch.no_grad():
        torch.testing.assert_close(decoder(vectors[:1], one)[:, :2], decoder(vectors[:1], other)[:, :2])
        assert not torch.allclose(decoder(vectors[:1], one)[:, 0], decoder(vectors[1:2], one)[:, 0], atol=1e-2)


@pytest.mark.parametrize("nucleus", [1.0, 0.6])
def test_samples_follow_the_decoders_probabilities(decoder, vectors, nucleus):
    first = Vocabulary(START, END, longest=1, never=(START,))
    with torch.no_grad():
        logits = decoder.start(vectors[:1], START)[0][0]
    logits[[START, END]] = -math.inf
    shares = torch.softmax(logits, 0).numpy()
    within, order = 0.0, np.argsort(-shares)
    expected = np.zeros(WORDS)
    for token in order:  # the fewest that reach the nucleus
        if within < nucleus:
            expected[token] = shares[token]
        within += shares[token]
    expected /= expected.sum()
    assert (nucleus < 1) == ((expected > 0).sum() < WORDS - 2)
    count = 3000
    drawn = sample(
        decoder, vectors[:1].expand(count, -1), first, SearchSettings(samples=1, nucleus=nucleus), range(count)
    )
    shown = np.bincount([sentences[0].ids[0] for sentences in drawn], minlength=WORDS) / count
    error = 4 * np.sqrt(expected * (1 - expected) / count)  # four standard errors
    assert (abs(shown - expected) <= error).all()


def test_a_narrow_nucleus_is_greedy(decoder, vectors):
    settings = SearchSettings(samples=3, nucleus=1e-6)
    greedy = beam_search(decoder, vectors, VOCABULARY, 1, 0.7)
    for sampled, (best,) in zip(sample(decoder, vectors, VOCABULARY, settings, range(5)), greedy, strict=True):
        assert [one.ids for one in sampled] == [best.ids]
        assert sampled[0].log_probability == pytest.approx(best.log_probability, abs=1e-5)


def test_what_is_drawn_follows_seed_and_picture_and_not_its_neighbours(decoder, vectors):
    settings = SearchSettings(samples=6, nucleus=0.95, seed=1)
    together = sample(decoder, vectors, VOCABULARY, settings, range(5))
    alone = [sample(decoder, vectors[k : k + 1], VOCABULARY, settings, [k])[0] for k in range(5)]
    assert [[one.ids for one in row] for row in together] == [[one.ids for one in row] for row in alone]
    other = sample(decoder, vectors, VOCABULARY, settings.model_copy(update={"seed": 2}), range(5))
    assert [[one.ids for one in row] for row in together] != [[one.ids for one in row] for row in other]
