"""Which pairs of a source stay, and why each of the others goes.

A rule about texts takes single captions out; the pair goes when none is left. Each pair goes for one reason, the first
in the order of `FilterRules`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lexel.curation.concepts.filtering import flag_vectors, judge_of
from lexel.curation.sources.alignment import align, embed_pictures
from lexel.curation.sources.balance import Entries, balanced, caption_entries, label_entries, word_entries
from lexel.curation.sources.rules import FilterRules
from lexel.curation.sources.semantic import SAME_MEANING, semantic_groups
from lexel.curation.sources.text_pattern import captions_found
from lexel.data.audit.copies import exact_copies, largest_first, near_copies, shared_pictures
from lexel.data.audit.looks import Looks, look_at
from lexel.data.pairs import Pair, Source
from lexel.data.readers.text import decode_text
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
from lexel.progress import say


@dataclass(frozen=True, slots=True)
class Removed:
    """A pair that goes, and why."""

    key: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FilteredSource:
    """What stays of a source, and what went."""

    source: Source
    kept: list[Pair]  # with the captions that stay
    splits: list[str | None]  # of each of them
    removed: list[Removed]  # in the order of the source
    captions_removed: dict[str, int]  # captions taken out, by reason, those of pairs that went for it included
    bad: int
    model: str | None  # whose fingerprint follows
    fingerprint: str | None

    @property
    def dropped(self) -> dict[str, int]:
        """How many pairs went, by reason."""
        return dict(Counter(one.reason for one in self.removed).most_common())

    def to_json(self) -> dict[str, Any]:
        """As of packing: `pairs` and `captions` that stay, `images` looked at, `bad` ones of them, why pairs went."""
        return {
            "source": self.source.name,
            "pairs": len(self.kept),
            "images": len(self.kept) + len(self.removed),
            "bad": self.bad,
            "captions": sum(len(pair.captions) for pair in self.kept),
            "dropped": self.dropped,
            "captions_dropped": self.captions_removed,
            "model": self.model,
            "fingerprint": self.fingerprint,
        }


@dataclass(slots=True)
class _Sieve:
    """The pairs while rules are applied to them."""

    source: Source
    looks: Looks
    reasons: dict[int, tuple[str, str]] = field(default_factory=dict)
    captions: dict[int, list[int]] = field(default_factory=dict)  # which are left, where some have been taken out
    captions_removed: Counter[str] = field(default_factory=Counter)

    def staying(self) -> np.ndarray:
        """Indices of the pairs that no rule has taken out yet."""
        gone = np.zeros(len(self.looks.rows), bool)
        gone[list(self.reasons)] = True
        return np.flatnonzero(~gone)

    def pair(self, index: int) -> Pair:
        """The pair with the captions that it still has."""
        pair = self.source.pairs[index]
        if index not in self.captions:
            return pair
        left = self.captions[index]
        weights = tuple(pair.caption_weights[at] for at in left) if pair.caption_weights else ()
        return replace(pair, captions=tuple(pair.captions[at] for at in left), caption_weights=weights)

    def drop(self, indices: Iterable[int], reason: str, detail: str = "") -> None:
        for index in indices:
            self.reasons.setdefault(int(index), (reason, detail))

    def keep_captions(self, keep: Callable[[str], bool], reason: str) -> None:
        """Take out the captions that are not to be kept, and the pairs that have none left."""
        for index in self.staying().tolist():
            kept = [at for at, caption in enumerate(self.pair(index).captions) if keep(caption)]
            self.leave_captions(index, kept, reason)

    def leave_captions(self, index: int, kept: Sequence[int], reason: str) -> None:
        """Leave the pair these of the captions that it still has."""
        before = self.captions.get(index, range(len(self.source.pairs[index].captions)))
        if len(kept) == len(before):
            return
        self.captions_removed[reason] += len(before) - len(kept)
        self.captions[index] = [before[at] for at in kept]
        if not kept:
            self.drop([index], reason, self.source.pairs[index].captions[before[0]])


def filter_source(
    source: Source,
    rules: FilterRules,
    *,
    against: Source | None = None,
    encoder: Encoder | None = None,
    cache: EvaluationCache | None = None,
    processes: int = 0,
) -> FilteredSource:
    """Apply the rules. Pairs that `against` has too are dropped, also if their pictures only look the same.

    Raises UsageError where a rule needs a model and there is none, DataError where nothing stays.

    Example: `filter_source(read_source("shop.csv"), FilterRules(min_side=64, copies="near"))`
    """
    if rules.needs_model and encoder is None:
        raise UsageError("--match, --top, --without and semantic copies need a model: --model MODEL.")
    judge = judge_of(rules.without, encoder) if rules.without is not None and encoder is not None else None
    entries = _entries(rules)  # read before the long work
    if encoder is not None and not source.name.startswith("scenes:") and (warning := about_drawn_scenes(encoder)):
        say(warning)
    sieve = _Sieve(source, look_at(source, processes))
    _drop_by_looks(sieve, rules)
    if against is not None:
        exact, near = shared_pictures(source, sieve.looks, against, look_at(against, processes))
        for found, reason in ((exact, "in_other"), (near, "near_in_other")):
            for index, there in found.items():
                sieve.drop([index], reason, against.pairs[there].key)
    _drop_by_text(sieve, rules)
    if encoder is not None and rules.needs_model:
        staying = sieve.staying()
        vectors, kept = embed_pictures(
            encoder, [sieve.pair(i) for i in staying.tolist()], cache, f"Embedding {source.name}"
        )
        rows = staying[kept]
        if judge is not None and len(rows):
            flagged, _, why_none = flag_vectors(judge, vectors)
            if why_none is not None:
                say(why_none)
            sieve.drop(rows[flagged], "concept", judge.name)
        if rules.match is not None or rules.top is not None:
            _drop_by_alignment(sieve, rules, encoder, vectors, rows)
        if rules.copies == "semantic":
            _drop_semantic(sieve, rules, vectors, rows)
    if rules.copies in ("exact", "near"):
        _drop_copies(sieve, rules)
    if rules.cap is not None:
        _drop_frequent(sieve, rules.cap, rules.seed, entries)
    return _outcome(sieve, encoder if rules.needs_model else None)


def _drop_by_looks(sieve: _Sieve, rules: FilterRules) -> None:
    rows = sieve.looks.rows
    reasons = {bad.key: bad.reason for bad in sieve.looks.bad}
    for index in np.flatnonzero(~rows["readable"]).tolist():
        sieve.drop([index], "unreadable", reasons[sieve.source.pairs[index].key])
    short = np.minimum(rows["width"], rows["height"]).astype(np.float64)
    long = np.maximum(rows["width"], rows["height"]).astype(np.float64)
    if rules.min_side is not None:
        sieve.drop(np.flatnonzero(rows["readable"] & (short < rules.min_side)), "small")
    if rules.max_aspect is not None:
        sieve.drop(np.flatnonzero(rows["readable"] & (long > rules.max_aspect * short)), "aspect")
    if rules.drop_flat:
        sieve.drop(np.flatnonzero(sieve.looks.flat), "flat")


def _drop_by_text(sieve: _Sieve, rules: FilterRules) -> None:
    least, most = rules.min_words, rules.max_words
    if least is not None:
        sieve.keep_captions(lambda caption: len(caption.split()) >= least, "short_text")
    if most is not None:
        sieve.keep_captions(lambda caption: len(caption.split()) <= most, "long_text")
    for pattern, wanted, reason in ((rules.drop_text, False, "drop_text"), (rules.keep_text, True, "keep_text")):
        if pattern is not None:
            captions = (caption for index in sieve.staying().tolist() for caption in sieve.pair(index).captions)
            found = captions_found(pattern, captions)
            sieve.keep_captions(lambda caption, found=found, wanted=wanted: (caption in found) == wanted, reason)


def _drop_by_alignment(
    sieve: _Sieve, rules: FilterRules, encoder: Encoder, vectors: np.ndarray, rows: np.ndarray
) -> None:
    pairs = [sieve.pair(index) for index in rows.tolist()]
    textless = [
        index for index, pair in zip(rows.tolist(), pairs, strict=True) if not pair.captions and pair.label is None
    ]
    sieve.drop(textless, "no_text")
    gone = sieve.reasons.keys()
    still = np.array([at for at, index in enumerate(rows.tolist()) if index not in gone], np.int64)
    found = align(encoder, pairs, vectors[still], still)
    fits = np.ones(len(found.texts), bool) if rules.match is None else found.match >= rules.match
    _keep_texts(sieve, rows[found.pair], pairs, found.pair, fits, "low_match")
    if rules.top is not None and len(fits):
        among = np.flatnonzero(fits)
        count = int(np.ceil(rules.top * len(among)))
        best = np.zeros(len(fits), bool)
        best[among[np.argsort(-found.rank_score[among], kind="stable")[:count]]] = True
        _keep_texts(sieve, rows[found.pair], pairs, found.pair, best | ~fits, "not_top", before=fits)


def _keep_texts(
    sieve: _Sieve,
    index_of: np.ndarray,
    pairs: list[Pair],
    pair_of: np.ndarray,
    keep: np.ndarray,
    reason: str,
    before: np.ndarray | None = None,
) -> None:
    """Take out the texts (T,) that are not to be kept; a label alone takes its pair along."""
    texts: dict[int, list[int]] = {}
    for row, at in enumerate(pair_of.tolist()):
        texts.setdefault(at, []).append(row)
    for at, its_rows in texts.items():
        there = [row for row in its_rows if before is None or before[row]]
        index, pair = int(index_of[its_rows[0]]), pairs[at]
        if not there or all(keep[row] for row in there):
            continue
        if not pair.captions:
            sieve.drop([index], reason, pair.label or "")
        else:
            sieve.leave_captions(index, [place for place, row in enumerate(there) if keep[row]], reason)


def _drop_copies(sieve: _Sieve, rules: FilterRules) -> None:
    staying = sieve.staying()
    exact = exact_copies(sieve.source, sieve.looks, staying)
    for group in exact:
        sieve.drop(group[1:], "duplicate", sieve.source.pairs[group[0]].key)
    if rules.copies == "near":
        for group, _ in near_copies(sieve.looks, exact, rules.near_likeness, staying):
            sieve.drop(group[1:], "near_duplicate", sieve.source.pairs[group[0]].key)


def _drop_semantic(sieve: _Sieve, rules: FilterRules, vectors: np.ndarray, rows: np.ndarray) -> None:
    gone = sieve.reasons.keys()
    still = np.array([at for at, index in enumerate(rows.tolist()) if index not in gone], np.int64)
    indices, prefer = rows[still], largest_first(sieve.looks.rows[rows[still]])
    for star in semantic_groups(vectors[still], prefer, SAME_MEANING if rules.likeness is None else rules.likeness):
        centre = sieve.source.pairs[int(indices[star.centre])].key
        sieve.drop(indices[list(star.others)], "semantic_duplicate", centre)


def _drop_frequent(sieve: _Sieve, cap: int, seed: int, entries_of: Callable[[Pair], set[str]]) -> None:
    staying = sieve.staying().tolist()
    pairs = [sieve.pair(index) for index in staying]
    entries = [entries_of(pair) for pair in pairs]
    if isinstance(entries_of, Entries):
        sieve.drop([index for index, found in zip(staying, entries, strict=True) if not found], "no_entry")
    stays = balanced([pair.key for pair in pairs], entries, cap, seed)
    for index, found, kept in zip(staying, entries, stays, strict=True):
        if not kept:
            sieve.drop([index], "frequent", ", ".join(sorted(found)[:3]))


def _entries(rules: FilterRules) -> Callable[[Pair], set[str]]:
    known = {"label": label_entries, "caption": caption_entries, "word": word_entries}
    if rules.cap_by in known:
        return known[rules.cap_by]
    text, _ = decode_text(Path(rules.cap_by).read_bytes())
    entries = Entries(text.splitlines())
    if not entries.phrases:
        raise DataError(f"{rules.cap_by} has no entries: one word or phrase a line.")
    return entries


def _outcome(sieve: _Sieve, encoder: Encoder | None) -> FilteredSource:
    staying = sieve.staying().tolist()
    outcome = FilteredSource(
        source=sieve.source,
        kept=[sieve.pair(index) for index in staying],
        splits=[sieve.source.split_of(index) for index in staying],
        removed=[Removed(sieve.source.pairs[index].key, *sieve.reasons[index]) for index in sorted(sieve.reasons)],
        captions_removed=dict(sieve.captions_removed),
        bad=len(sieve.looks.bad),
        model=encoder.name if encoder else None,
        fingerprint=encoder.fingerprint if encoder else None,
    )
    if not outcome.kept:
        why = ", ".join(f"{name} {count:,}" for name, count in outcome.dropped.items())
        raise DataError(f"Of {sieve.source.name} nothing stays, so nothing is written: {why}.")
    return outcome
