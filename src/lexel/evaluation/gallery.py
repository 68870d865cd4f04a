"""From the arrays of a result to a section of the report: the numbers, and a few examples to look at.

The examples are drawn at random with a fixed seed, hits and misses apart, so that nobody picks the pretty ones.
"""

from collections import Counter

import numpy as np

from lexel.evaluation.metrics import top_candidates
from lexel.evaluation.report import (
    CaptionQuery,
    ClassScore,
    Confused,
    FoundImage,
    Guess,
    ImageQuery,
    NamedImage,
    RetrievalSection,
    SimilarityGrid,
    ZeroShotSection,
)
from lexel.evaluation.retrieval import RetrievalResult
from lexel.evaluation.zero_shot import ZeroShotResult

SEED = 0
NAMED_IMAGES = 12  # of hits, and of misses
QUERIES = 4  # of hits, and of misses, in each direction
FOUND = 5
GRID_SIZE = 16


def zero_shot_section(result: ZeroShotResult) -> ZeroShotSection:
    """What the report keeps of a zero-shot result."""
    label, rate = result.majority
    right = result.guesses[:, 0] == result.truth
    return ZeroShotSection(
        metrics=result.metrics,
        images=len(result.pairs),
        classes=[
            ClassScore(label=name, images=int(count), accuracy=result.per_class.get(name))
            for name, count in zip(result.labels, result.counts, strict=True)
        ],
        majority_label=label,
        majority_rate=rate,
        confusion=[(int(i), int(j), int(result.confusion[i, j])) for i, j in np.argwhere(result.confusion)],
        worst_confusions=[
            Confused(true=true, said=said, count=count) for true, said, count in result.worst_confusions()
        ],
        hits=[_named_image(result, row) for row in _varied(np.flatnonzero(right), result.truth, NAMED_IMAGES)],
        misses=[_named_image(result, row) for row in _varied(np.flatnonzero(~right), result.truth, NAMED_IMAGES)],
    )


def _named_image(result: ZeroShotResult, row: int) -> NamedImage:
    guesses = [
        Guess(text=result.labels[i], score=float(p), right=bool(i == result.truth[row]))
        for i, p in zip(result.guesses[row][:3], result.probabilities[row][:3], strict=True)
    ]
    return NamedImage(key=result.pairs[row].key, label=result.labels[result.truth[row]], guesses=guesses)


def _varied(rows: np.ndarray, labels: np.ndarray, count: int) -> list[int]:
    """Random rows, of as many different labels as there are."""
    shuffled = np.random.default_rng(SEED).permutation(rows)
    seen: Counter[int] = Counter()
    turns = []
    for label in labels[shuffled].tolist():
        turns.append(seen[label])
        seen[label] += 1
    return [int(row) for row in shuffled[np.argsort(turns, kind="stable")][:count]]


def retrieval_section(result: RetrievalResult) -> RetrievalSection:
    """What the report keeps of a retrieval result."""
    return RetrievalSection(
        image_to_text=result.image_to_text,
        text_to_image=result.text_to_image,
        images=len(result.pairs),
        captions=len(result.captions),
        caption_queries=[_caption_query(result, column) for column in _hits_and_misses(result.text_ranks)],
        image_queries=[_image_query(result, row) for row in _hits_and_misses(result.image_ranks)],
    )


def _hits_and_misses(ranks: np.ndarray) -> list[int]:
    rng = np.random.default_rng(SEED)
    hits, misses = rng.permutation(np.flatnonzero(ranks <= 1)), rng.permutation(np.flatnonzero(ranks > 1))
    return [int(query) for query in (*hits[:QUERIES], *misses[:QUERIES])]


def _caption_query(result: RetrievalResult, column: int) -> CaptionQuery:
    cosines = result.text_vectors[column] @ result.image_vectors.T
    best = top_candidates(cosines[None], FOUND, np.random.default_rng(SEED))[0]
    right = set(result.images_of_caption[column])
    found = [FoundImage(key=result.pairs[i].key, score=float(cosines[i]), right=int(i) in right) for i in best]
    return CaptionQuery(caption=result.captions[column], rank=float(result.text_ranks[column]), found=found)


def _image_query(result: RetrievalResult, row: int) -> ImageQuery:
    cosines = result.image_vectors[row] @ result.text_vectors.T
    best = top_candidates(cosines[None], FOUND, np.random.default_rng(SEED))[0]
    right = set(result.captions_of_image[row])
    found = [Guess(text=result.captions[i], score=float(cosines[i]), right=int(i) in right) for i in best]
    return ImageQuery(key=result.pairs[row].key, rank=float(result.image_ranks[row]), found=found)


def caption_grid(result: RetrievalResult) -> SimilarityGrid:
    """A few images against one caption of each."""
    captions: dict[int, int] = {}  # caption → image, so that no caption stands there twice
    for row in np.random.default_rng(SEED).permutation(len(result.pairs)):
        free = [column for column in result.captions_of_image[row] if column not in captions]
        if free and len(captions) < GRID_SIZE:
            captions[free[0]] = int(row)
    columns, rows = list(captions), list(captions.values())
    return SimilarityGrid(
        keys=[result.pairs[row].key for row in rows],
        texts=[result.captions[column] for column in columns],
        cosines=_rounded(result.text_vectors[columns] @ result.image_vectors[rows].T),
    )


def label_grid(result: ZeroShotResult) -> SimilarityGrid:
    """One image each of a few labels against the embeddings of these labels."""
    rows = _varied(np.arange(len(result.pairs)), result.truth, min(GRID_SIZE, len(result.per_class)))
    columns = result.truth[rows]
    return SimilarityGrid(
        keys=[result.pairs[row].key for row in rows],
        texts=[result.labels[column] for column in columns],
        cosines=_rounded(result.label_vectors[columns] @ result.image_vectors[rows].T),
    )


def _rounded(cosines: np.ndarray) -> list[list[float]]:
    return [[round(float(cosine), 4) for cosine in row] for row in cosines]
