"""How good a captioner is, beside three ways to say something of a picture that need no decoder."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lexel.calibration import POSSIBLE
from lexel.data.captions import fill
from lexel.data.pairs import Source
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.evaluation.metrics.metric import bootstrap, bootstrap_mean
from lexel.generation.captions.captioner import Captioner
from lexel.generation.captions.metrics.bleu import bleu, bleu_counts
from lexel.generation.captions.metrics.cider import cider_d
from lexel.generation.captions.metrics.clip_score import clip_scores, ref_clip_scores
from lexel.generation.captions.metrics.diversity import copied, distinct_n
from lexel.generation.captions.metrics.rouge import rouge_l
from lexel.generation.captions.metrics.words import words_of
from lexel.generation.captions.search import SearchSettings
from lexel.generation.learning.embeddings import EmbeddedPairs, embed_pairs

PHOTO_OF = "a photo of {}"
LABELS_GUESSED = 200  # words of the memory that stand in for labels where none are known
# Words that name nothing to be seen.
LITTLE_WORDS = frozenset(
    re.findall(
        r"\w+",
        "about above across after against along another around away back been before behind being below "
        "beside between both down each front from have into many more near next other over part piece several "
        "side sits some stands that their them there these they this through together top under very wearing "
        "were what where which while with within looking standing sitting holding large small",
    )
)
NAMES = ("BLEU-4", "ROUGE-L", "CIDEr-D", "CLIPScore", "RefCLIPScore", "distinct-1", "distinct-2", "copied")


@dataclass(frozen=True, slots=True)
class CaptionScore:
    """A number with its 95 % interval over pictures; None where it is one of all captions together."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ScoredCaptions:
    """One way to caption the pictures."""

    way: str
    scores: dict[str, CaptionScore]  # by NAMES
    captions: list[str]


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """The captioner, then the baselines."""

    source: str
    pictures: int
    references: float  # captions of a picture, on average
    unsaid: float | None  # share of pictures of which the captioner would say nothing; None without a calibration
    labels: str  # where the labels of "a photo of LABEL" come from
    ways: list[ScoredCaptions]


def evaluate_captioner(
    captioner: Captioner,
    source: Source,
    *,
    settings: SearchSettings | None = None,
    labels: Sequence[str] | None = None,
    cache: EvaluationCache | None = None,
) -> CaptionReport:
    """Caption the pictures of a source that have captions, and compare with these.

    Every picture counts with its best sentence, also one of which nothing would be said. `labels` are those of the
    third baseline; by default the source's own or, where it has none, the commonest words of the memory. Raises
    DataError where no picture has a caption or can be read.
    """
    pairs = embed_pairs(captioner.encoder, source, cache)
    said = captioner.describe(pairs.pictures, settings, least="any")
    matches = [one.candidates[0].match for one in said]
    unsaid = None if None in matches else float(np.mean([(match or 0.0) < POSSIBLE for match in matches]))
    named, origin = _labels(captioner, source, labels)
    prompts = [fill(PHOTO_OF, label) for label in named]
    best = (pairs.pictures @ captioner.encoder.embed_texts(prompts).T).argmax(axis=1)
    ways = {
        "captioner": [one.candidates[0].text for one in said],
        "nearest caption": captioner.memory.nearest(pairs.pictures),
        "commonest caption": [captioner.facts.commonest] * len(pairs.pairs),
        PHOTO_OF.replace("{}", "LABEL"): [prompts[row] for row in best.tolist()],
    }
    scored = [ScoredCaptions(way, _scores(captioner, pairs, captions), captions) for way, captions in ways.items()]
    references = sum(map(len, pairs.texts_of)) / len(pairs.texts_of)
    return CaptionReport(source.name, len(pairs.pairs), references, unsaid, origin, scored)


def _labels(captioner: Captioner, source: Source, given: Sequence[str] | None) -> tuple[list[str], str]:
    if given:
        return list(given), "given"
    if source.labels:
        return source.labels, "of the source"
    counts = Counter(word for text in captioner.memory.texts for word in set(words_of(text)))
    words = [word for word, _ in counts.most_common() if len(word) > 3 and word not in LITTLE_WORDS]
    return words[:LABELS_GUESSED] or ["picture"], "the commonest words of the captions"


def _scores(captioner: Captioner, pairs: EmbeddedPairs, captions: Sequence[str]) -> dict[str, CaptionScore]:
    words = [words_of(caption) for caption in captions]
    references = [[words_of(pairs.texts[row]) for row in rows] for rows in pairs.texts_of]
    distinct = sorted(set(captions))
    row_of = {text: row for row, text in enumerate(distinct)}
    vectors = captioner.encoder.embed_texts(distinct)[[row_of[text] for text in captions]]
    of_references = [pairs.text_vectors[rows] for rows in pairs.texts_of]
    counts = bleu_counts(words, references)
    pictures = np.arange(len(captions))

    def of_each(values: Sequence[float] | np.ndarray) -> CaptionScore:
        found = np.asarray(values, np.float64)
        return CaptionScore(float(found.mean()), bootstrap_mean(found, pictures))

    return {
        "BLEU-4": CaptionScore(bleu(counts), bootstrap(lambda weights: bleu(counts, weights), pictures)),
        "ROUGE-L": of_each([rouge_l(mine, theirs) for mine, theirs in zip(words, references, strict=True)]),
        "CIDEr-D": of_each(cider_d(words, references)),
        "CLIPScore": of_each(clip_scores(pairs.pictures, vectors)),
        "RefCLIPScore": of_each(ref_clip_scores(pairs.pictures, vectors, of_references)),
        "distinct-1": CaptionScore(distinct_n(words, 1)),
        "distinct-2": CaptionScore(distinct_n(words, 2)),
        "copied": of_each([float(one) for one in copied(captions, captioner.memory.texts)]),
    }
