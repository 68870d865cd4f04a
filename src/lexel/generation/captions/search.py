"""From log-odds of next tokens to whole sentences: beam search and nucleus sampling, many pictures at a time.

Whatever decodes is a Stepper: it answers for all rows at once and keeps what it has computed in a cache.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from lexel.config import Config


class RowCache(Protocol):
    """What a Stepper keeps between two tokens."""

    def choose(self, rows: Tensor) -> None:
        """Keep these rows (N,), in this order; a row may be kept several times."""
        ...


Cache = TypeVar("Cache", bound=RowCache)


class Stepper(Protocol[Cache]):
    """Gives log-odds of the next token for all rows; see `CaptionDecoder`."""

    def start(self, vectors: Tensor, first: int) -> tuple[Tensor, Cache]: ...

    def next(self, ids: Tensor, cache: Cache) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens that have a meaning of their own, and how many tokens a sentence has at most."""

    start: int
    end: int
    longest: int  # tokens behind `start`, the end included
    never: tuple[int, ...] = ()  # tokens that must not appear
    shortest: int = 1  # tokens before the end, at least


@dataclass(frozen=True, slots=True)
class Sentence:
    """A candidate: its tokens without start and end."""

    ids: list[int]
    log_probability: float  # of all tokens and the end, under the decoder
    score: float  # by which candidates of one picture are ordered; higher is better


class SearchSettings(Config):
    """How sentences are looked for."""

    beams: PositiveInt = 5  # sentences followed at once for each picture; 1 is greedy
    length_penalty: float = Field(default=0.7, ge=0)  # the score is log-probability / length to this power
    samples: int = Field(default=0, ge=0)  # sentences drawn for each picture, in place of beam search
    nucleus: float = Field(default=0.9, gt=0, le=1)  # drawn from the fewest tokens that have this probability together
    temperature: float = Field(default=1.0, gt=0)
    seed: int = Field(default=0, ge=0)  # of what is drawn


@torch.no_grad()
def beam_search(
    stepper: Stepper[Cache], vectors: Tensor, words: Vocabulary, beams: int, length_penalty: float
) -> list[list[Sentence]]:
    """The `beams` best sentences of each row of vectors (N, E), best first; fewer where there are no more.

    In each step the best `beams` of all continuations are kept; a finished sentence keeps its place until better ones
    push it out. A sentence that has no end after `longest` tokens ends there. Scores are log-probabilities divided by
    length to the power of `length_penalty` (Wu et al. 2016).
    """
    n = len(vectors)
    logits, cache = stepper.start(vectors, words.start)
    logs = _log_probabilities(logits, words, 0)  # (N, V)
    size = logs.shape[1]
    kept = min(beams, size)
    totals, tokens = logs.topk(kept, dim=1)  # (N, K)
    cache.choose(torch.arange(n, device=logs.device).repeat_interleave(kept))
    ids = tokens[:, :, None]  # (N, K, t)
    ended = tokens == words.end
    lengths = torch.ones_like(tokens)
    while ids.shape[2] < words.longest and not bool(ended.all()):
        logs = _log_probabilities(stepper.next(ids[:, :, -1].reshape(-1), cache), words, ids.shape[2]).view(
            n, kept, size
        )
        # A finished sentence goes on with one continuation that costs nothing, its end again.
        logs = logs.masked_fill(ended[:, :, None], -math.inf)
        logs[:, :, words.end] = torch.where(ended, torch.zeros_like(totals), logs[:, :, words.end])
        sums = totals[:, :, None] + logs  # (N, K, V)
        after = lengths + (~ended).long()
        scores = sums / after[:, :, None].to(sums.dtype) ** length_penalty
        best = scores.view(n, -1).topk(min(beams, kept * size), dim=1).indices  # (N, K')
        parents, tokens = best // size, best % size
        totals = sums.view(n, -1).gather(1, best)
        lengths = after.gather(1, parents)
        ids = torch.cat([ids.gather(1, parents[:, :, None].expand(-1, -1, ids.shape[2])), tokens[:, :, None]], 2)
        ended = ended.gather(1, parents) | (tokens == words.end)
        cache.choose((parents + kept * torch.arange(n, device=parents.device)[:, None]).reshape(-1))
        kept = best.shape[1]
    return [
        _ordered(
            _sentence(row, float(total), words, length_penalty)
            for row, total in zip(ids[place].tolist(), totals[place].tolist(), strict=True)
            if total > -math.inf
        )
        for place in range(n)
    ]


@torch.no_grad()
def sample(
    stepper: Stepper[Cache], vectors: Tensor, words: Vocabulary, settings: SearchSettings, numbers: Sequence[int]
) -> list[list[Sentence]]:
    """`settings.samples` sentences of each row of vectors (N, E), drawn from the nucleus (Holtzman et al. 2020).

    `numbers` (N,) are the pictures' own numbers: with the seed they decide what is drawn, whatever rows are beside.
    """
    n, count = len(vectors), settings.samples
    drawn = np.stack(
        [np.random.Generator(np.random.PCG64([settings.seed, k])).random((count, words.longest)) for k in numbers]
    )
    chances = torch.from_numpy(drawn).view(n * count, words.longest).to(vectors.device, torch.float32)
    logits, cache = stepper.start(vectors, words.start)
    rows = torch.arange(n, device=logits.device).repeat_interleave(count)
    cache.choose(rows)
    logs = _log_probabilities(logits, words, 0)[rows]  # (N · S, V)
    totals = torch.zeros(n * count, device=logs.device)
    ended = torch.zeros(n * count, dtype=torch.bool, device=logs.device)
    ids: list[Tensor] = []
    for place in range(words.longest):
        chosen = _from_nucleus(logs, chances[:, place], settings)
        chosen = torch.where(ended, torch.full_like(chosen, words.end), chosen)
        totals = totals + torch.where(ended, torch.zeros_like(totals), logs.gather(1, chosen[:, None])[:, 0])
        ended = ended | (chosen == words.end)
        ids.append(chosen)
        if bool(ended.all()) or place + 1 == words.longest:
            break
        logs = _log_probabilities(stepper.next(chosen, cache), words, place + 1)
    rows_of_ids, all_totals = torch.stack(ids, 1).tolist(), totals.tolist()
    sentences = [
        _sentence(row, total, words, settings.length_penalty)
        for row, total in zip(rows_of_ids, all_totals, strict=True)
    ]
    return [_ordered(sentences[first : first + count]) for first in range(0, n * count, count)]


def _from_nucleus(logs: Tensor, chances: Tensor, settings: SearchSettings) -> Tensor:
    """The token of each row (N,) that its chance in 0..1 falls on, among the likeliest that make up the nucleus."""
    shares = torch.softmax(logs / settings.temperature, 1)
    sorted_shares, order = shares.sort(dim=1, descending=True, stable=True)
    before = sorted_shares.cumsum(1) - sorted_shares
    sorted_shares = sorted_shares.masked_fill(before >= settings.nucleus, 0)  # the likeliest always stays
    sums = sorted_shares.cumsum(1)
    places = (sums <= chances[:, None] * sums[:, -1:]).sum(1).clamp(max=logs.shape[1] - 1)
    places = torch.minimum(places, (sorted_shares > 0).sum(1) - 1)  # rounding must not lead out of the nucleus
    return order.gather(1, places[:, None])[:, 0]


def _log_probabilities(logits: Tensor, words: Vocabulary, said: int) -> Tensor:
    """(N, V) log-probabilities of the next token, where so many have been said."""
    logits = logits.float()
    barred = [*words.never, *([words.end] if said < words.shortest else [])]
    if barred:
        logits = logits.index_fill(1, torch.tensor(barred, device=logits.device), -math.inf)
    return torch.log_softmax(logits, 1)


def _sentence(row: Sequence[int], total: float, words: Vocabulary, length_penalty: float) -> Sentence:
    length = row.index(words.end) + 1 if words.end in row else len(row)
    ids = [token for token in row[:length] if token != words.end]
    return Sentence(ids, total, total / length**length_penalty)


def _ordered(sentences: Iterable[Sentence]) -> list[Sentence]:
    """Best first, each once."""
    best: dict[tuple[int, ...], Sentence] = {}
    for sentence in sorted(sentences, key=lambda one: -one.score):
        best.setdefault(tuple(sentence.ids), sentence)
    return list(best.values())
