"""An audit of a source and, with a model: how well texts fit, how many are cut, which pictures show the same."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np

from lexel.curation.sources.alignment import TEXTS_AT_ONCE, Alignment, align, embed_pictures
from lexel.curation.sources.semantic import SAME_MEANING, semantic_groups
from lexel.data.audit.copies import Leak, NearCopies, largest_first, leak
from lexel.data.audit.facts import Audit, audit_of
from lexel.data.audit.looks import Looks, look_at
from lexel.data.audit.spread import Histogram, Spread, share_histogram, spread, whole_histogram
from lexel.data.pairs import Source
from lexel.encoder import Encoder
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
from lexel.terminal import counted

WORST_SHOWN = 24  # pairs
MANY_ALIKE = 0.1  # share of the pictures that show the same as another; more are rarely copies
WEAK_MATCH = 0.5  # below it, a text is rather another picture's


@dataclass(frozen=True, slots=True)
class WeakPair:
    """A picture and a text that hardly fits it."""

    key: str
    text: str
    match: float
    cosine: float


@dataclass(frozen=True, slots=True)
class TextFit:
    """A model's measurements on a source."""

    model: str
    fingerprint: str
    calibrated: bool  # the match is by the model's calibration, not by generic texts
    note: str | None  # what speaks against this model
    texts: int  # captions, and labels of pairs without any, whose picture could be read
    match: Spread | None
    match_histogram: Histogram
    cosine: Spread | None
    weak: int  # texts with a match below WEAK_MATCH
    worst: list[WeakPair]  # of different pictures
    tokens: Spread | None  # of captions, after they are cut
    tokens_histogram: Histogram
    truncated: int  # captions that lose their end
    semantic_duplicates: list[NearCopies]  # beyond copies of the same pixels


@dataclass(frozen=True, slots=True)
class Inspection:
    """The audit of a source, and the model's measurements if there is a model."""

    source: Source
    against: Source | None
    audit: Audit
    fit: TextFit | None

    def to_json(self) -> dict[str, Any]:
        """The audit's facts, with the model's beneath `model`."""
        found = self.audit.to_json()
        return found | {"warnings": self.warnings, "model": asdict(self.fit) if self.fit else None}

    @property
    def warnings(self) -> list[str]:
        """What a user should look at before training, one sentence each."""
        if self.fit is None:
            return self.audit.warnings
        by, semantic = self.fit.model, sum(len(group.others) for group in self.fit.semantic_duplicates)
        many_alike = semantic > MANY_ALIKE * max(self.audit.images, 1)
        doubt = "; of so many, this model may see no differences that there are" if many_alike else ""
        found = [
            (self.fit.weak, "text has", "texts have", f"a match below {WEAK_MATCH:g} with the picture ({by})"),
            (self.fit.truncated, "caption is", "captions are", f"longer than {by} reads and cut at the end"),
            (
                semantic,
                "image shows",
                "images show",
                f"the same as another (cosine of at least {SAME_MEANING:g}){doubt}",
            ),
        ]
        return self.audit.warnings + [
            f"{counted(count, one, many)} {what}." for count, one, many, what in found if count
        ]


def inspect_source(
    source: Source,
    against: Source | None = None,
    encoder: Encoder | None = None,
    cache: EvaluationCache | None = None,
    processes: int = 0,
) -> Inspection:
    """Audit a source, compared with another one and judged by a model where these are given.

    Raises ModelError where the model gives vectors that are no directions.

    Example: `inspect_source(read_source("shop.csv"), encoder=lexel.load("ViT-B-32/openai")).fit`
    """
    looks = look_at(source, processes)
    shared: Leak | None = None
    if against is not None:
        shared = leak(source, looks, against, look_at(against, processes))
    found = audit_of(source, looks, shared)
    return Inspection(source, against, found, judge_source(source, looks, found, encoder, cache) if encoder else None)


def judge_source(
    source: Source, looks: Looks, found: Audit, encoder: Encoder, cache: EvaluationCache | None = None
) -> TextFit:
    """The model's measurements on the readable pictures of the source."""
    readable = looks.readable
    pairs = [source.pairs[index] for index in readable.tolist()]
    keys = [pair.key for pair in pairs]
    vectors, kept = embed_pictures(encoder, pairs, cache, f"Embedding {source.name}")
    fit = align(encoder, pairs, vectors, kept)
    lengths, truncated = _tokens(encoder, (caption for pair in pairs for caption in pair.captions))
    repeated = {key for group in found.duplicates for key in group[1:]}
    alone = np.array([row for row, at in enumerate(kept.tolist()) if keys[at] not in repeated], np.int64)
    stars = semantic_groups(vectors[alone], largest_first(looks.rows[readable[kept[alone]]])) if len(alone) else []
    names = [keys[at] for at in kept[alone].tolist()]
    return TextFit(
        model=encoder.name,
        fingerprint=encoder.fingerprint,
        calibrated=encoder.calibration is not None,
        note=None if source.name.startswith("scenes:") else about_drawn_scenes(encoder),
        texts=len(fit.texts),
        match=spread(fit.match),
        match_histogram=share_histogram(fit.match),
        cosine=spread(fit.cosine),
        weak=int((fit.match < WEAK_MATCH).sum()),
        worst=_worst(fit, keys),
        tokens=spread(lengths),
        tokens_histogram=whole_histogram(lengths),
        truncated=truncated,
        semantic_duplicates=[
            NearCopies(names[star.centre], [names[other] for other in star.others], list(star.likeness))
            for star in stars
        ],
    )


def _worst(fit: Alignment, keys: Sequence[str]) -> list[WeakPair]:
    """The texts that fit least, one for each picture, so that one strange picture does not fill the list."""
    found: dict[str, WeakPair] = {}
    for row in np.argsort(fit.rank_score, kind="stable").tolist():
        key = keys[int(fit.pair[row])]
        if key not in found:
            found[key] = WeakPair(key, fit.texts[row], float(fit.match[row]), float(fit.cosine[row]))
        if len(found) == WORST_SHOWN:
            break
    return list(found.values())


def _tokens(encoder: Encoder, captions: Iterable[str]) -> tuple[np.ndarray, int]:
    """Tokens of each caption, and how many captions are cut."""
    lengths, truncated = [np.zeros(0, np.int32)], 0
    captions = iter(captions)
    while part := list(islice(captions, TEXTS_AT_ONCE)):
        lengths.append(np.array([len(row) for row in encoder.tokenizer.encode(part)], np.int32))
        truncated += encoder.count_truncated(part)
    return np.concatenate(lengths), truncated
