"""How varied captions are (distinct-n, Li et al. 2016), and how many are copies of what was learned from."""

from collections.abc import Iterable, Sequence

from lexel.generation.captions.metrics.words import ngrams, words_of


def distinct_n(captions: Sequence[Sequence[str]], n: int) -> float:
    """Distinct runs of `n` words as a share of all, over all captions (as words); 0 where there are none."""
    runs = [run for caption in captions for run, times in ngrams(caption, n).items() for _ in range(times)]
    return len(set(runs)) / len(runs) if runs else 0.0


def copied(captions: Iterable[str], known: Iterable[str]) -> list[bool]:
    """For each caption whether it is one of the known ones, word for word."""
    there = {tuple(words_of(one)) for one in known}
    return [tuple(words_of(caption)) in there for caption in captions]
