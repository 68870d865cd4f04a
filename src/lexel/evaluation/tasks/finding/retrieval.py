"""Finding the caption of an image, and the image of a caption, among all of a source.

The texts are the distinct captions. A caption that several images carry is right for each of them, so that a sentence
shared by forty aerial photos does not count as thirty-nine mistakes; the chance levels follow the same relevance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lexel.data.pairs import Pair, Source
from lexel.errors import UsageError
from lexel.evaluation.embedded_source import EmbeddedSource, embed_source
from lexel.evaluation.metrics.metric import (
    Metric,
    best_positions,
    chance_median_rank,
    chance_recall,
    median_rank,
    proportion,
    top_candidates,
)
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.caveats import about_cut_captions, about_wide_interval
from lexel.evaluation.report.gallery import GRID_SIZE, SEED, hits_and_misses, rounded
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import (
    CaptionQueries,
    CaptionQuery,
    FoundImage,
    Guess,
    ImageQueries,
    ImageQuery,
    Numbers,
    SimilarityGrid,
    TaskSection,
)
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.encoder import Encoder

RECALL_AT = (1, 5, 10)
QUERIES_SHOWN = 4  # of hits, and of misses, in each direction
FOUND_SHOWN = 5
WORDS = {
    "recall@1": "The first is right",
    "recall@5": "A right one within 5",
    "recall@10": "A right one within 10",
    "median_rank": "Middle rank of the right one",
}


class Retrieval:
    """The task: two captioned images or more, with two distinct captions."""

    name = "retrieval"
    needs = "two captions and two images"

    def fits(self, wanted: TaskRequest) -> bool:
        captioned = [pair for pair in wanted.source.pairs if pair.captions]
        return len(captioned) >= 2 and len({caption for pair in captioned for caption in pair.captions}) >= 2

    def measure(self, given: TaskInput) -> TaskSection:
        result = retrieval(given.encoder, given.embedded)
        first_rows = result.rows[[images[0] for images in result.images_of_caption]]
        section = TaskSection(
            task=self.name,
            title="Finding images by captions, and captions by images",
            headline=_headline(result),
            facts=(f"{len(result.captions):,} distinct captions",),
            warnings=(
                *about_cut_captions(given.encoder.count_truncated(result.captions), len(result.captions)),
                *_warnings(result),
            ),
            blocks=_blocks(result),
            method=(
                "Captions that read the same are one text, and it is right for every image that carries it. An image "
                "counts as found when any of its captions is among the first.",
                "Where several captions describe one image, they count as fewer trials, as many as vary like them. The "
                "middle rank has an interval from 1,000 resamples of the images.",
            ),
            headline_metrics=["text_to_image/recall@1", "image_to_text/recall@1"],
        )
        return section.with_outcomes(
            {f"text_to_image/{name}": Outcome(hits, first_rows) for name, hits in result.text_hits.items()}
            | {f"image_to_text/{name}": Outcome(hits, result.rows) for name, hits in result.image_hits.items()}
        )


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    """How well captions and images find each other."""

    image_to_text: dict[str, Metric]  # recall@1, recall@5, recall@10, median_rank
    text_to_image: dict[str, Metric]
    pairs: list[Pair]  # (N,)
    rows: np.ndarray  # (N,) where they stand in the embedded source
    captions: list[str]  # (M,), distinct
    captions_of_image: list[list[int]]  # (N,) lists of columns
    images_of_caption: list[list[int]]  # (M,) lists of rows
    image_vectors: np.ndarray  # (N, D)
    text_vectors: np.ndarray  # (M, D)
    image_ranks: np.ndarray  # (N,) expected rank of each image's best caption
    text_ranks: np.ndarray  # (M,) expected rank of each caption's best image
    image_hits: dict[str, np.ndarray]  # (N,) for each recall@k: whether, or at ties how probably, a caption was found
    text_hits: dict[str, np.ndarray]  # (M,) likewise


def retrieval(encoder: Encoder, source: Source | EmbeddedSource) -> RetrievalResult:
    """Measure recall@1, 5, 10 and the median rank in both directions over all captioned images of the source."""
    embedded = embed_source(encoder, source)
    rows = [i for i, pair in enumerate(embedded.pairs) if pair.captions]
    pairs = [embedded.pairs[i] for i in rows]
    captions = list(dict.fromkeys(caption for pair in pairs for caption in pair.captions))
    if len(pairs) < 2 or len(captions) < 2:
        raise UsageError(
            f"{embedded.source.name}: retrieval needs two or more images and captions; "
            f"it has {len(pairs)} captioned images with {len(captions)} distinct captions."
        )
    column = {caption: i for i, caption in enumerate(captions)}
    captions_of_image = [sorted({column[caption] for caption in pair.captions}) for pair in pairs]
    images_of_caption: list[list[int]] = [[] for _ in captions]
    for row, columns in enumerate(captions_of_image):
        for caption in columns:
            images_of_caption[caption].append(row)

    images, texts = embedded.vectors[rows], embedded.embed_texts(encoder, captions)
    image_to_text, image_ranks, image_hits = _measure(images, texts, captions_of_image, groups=np.arange(len(pairs)))
    first_image = np.array([rows[0] for rows in images_of_caption])
    text_to_image, text_ranks, text_hits = _measure(texts, images, images_of_caption, groups=first_image)
    return RetrievalResult(
        image_to_text=image_to_text,
        text_to_image=text_to_image,
        pairs=pairs,
        rows=np.array(rows),
        captions=captions,
        captions_of_image=captions_of_image,
        images_of_caption=images_of_caption,
        image_vectors=images,
        text_vectors=texts,
        image_ranks=image_ranks,
        text_ranks=text_ranks,
        image_hits=image_hits,
        text_hits=text_hits,
    )


def _measure(
    queries: np.ndarray, candidates: np.ndarray, relevant: list[list[int]], groups: np.ndarray
) -> tuple[dict[str, Metric], np.ndarray, dict[str, np.ndarray]]:
    """The metrics of one direction, the rank of each query and its hits; queries of one group depend on each other."""
    positions = best_positions(queries, candidates, relevant)
    counts = np.array([len(columns) for columns in relevant])
    hits = {f"recall@{k}": positions.hits_at(k) for k in RECALL_AT}
    metrics = {
        name: proportion(hits[name], chance_recall(len(candidates), counts, k), groups)
        for name, k in zip(hits, RECALL_AT, strict=True)
    }
    ranks = positions.ranks()
    metrics["median_rank"] = median_rank(ranks, groups, chance_median_rank(len(candidates), counts))
    return metrics, ranks, hits


def _headline(result: RetrievalResult) -> str:
    first, ten = (result.text_to_image[name] for name in ("recall@1", "recall@10"))
    return (
        f"Finds the image that a caption describes, among {len(result.pairs):,}, at the first try "
        f"{percent(first.value)} of the time ({interval(first)}) and within ten {percent(ten.value)} "
        f"({interval(ten)}); guessing would give {chance(first)} and {chance(ten)}."
    )


def _warnings(result: RetrievalResult) -> list[str]:
    """Too few pairs, and results that may be luck."""
    said = []
    for name, metrics, queries in (
        ("Image → text", result.image_to_text, counted(len(result.pairs), "image")),
        ("Text → image", result.text_to_image, counted(len(result.captions), "caption")),
    ):
        said += about_wide_interval(f"{name} recall@1", metrics["recall@1"], queries)
        recalls = [(m, m.chance) for key, m in metrics.items() if key.startswith("recall@") and m.chance is not None]
        if all(metric.low <= guess for metric, guess in recalls if guess < 1):
            said.append(f"{name} retrieval is not distinguishable from a random ranking.")
    return said


def _blocks(result: RetrievalResult) -> list:
    return [
        Numbers(key="text_to_image", title="From caption to image", metrics=result.text_to_image, words=WORDS),
        Numbers(key="image_to_text", title="From image to caption", metrics=result.image_to_text, words=WORDS),
        CaptionQueries(
            queries=[_caption_query(result, column) for column in hits_and_misses(result.text_ranks, QUERIES_SHOWN)],
            images=len(result.pairs),
        ),
        ImageQueries(queries=[_image_query(result, row) for row in hits_and_misses(result.image_ranks, QUERIES_SHOWN)]),
        _grid(result),
    ]


def _caption_query(result: RetrievalResult, column: int) -> CaptionQuery:
    cosines = result.text_vectors[column] @ result.image_vectors.T
    best = top_candidates(cosines[None], FOUND_SHOWN, np.random.default_rng(SEED))[0]
    right = set(result.images_of_caption[column])
    found = [FoundImage(key=result.pairs[i].key, score=float(cosines[i]), right=int(i) in right) for i in best]
    return CaptionQuery(caption=result.captions[column], rank=float(result.text_ranks[column]), found=found)


def _image_query(result: RetrievalResult, row: int) -> ImageQuery:
    cosines = result.image_vectors[row] @ result.text_vectors.T
    best = top_candidates(cosines[None], FOUND_SHOWN, np.random.default_rng(SEED))[0]
    right = set(result.captions_of_image[row])
    found = [Guess(text=result.captions[i], score=float(cosines[i]), right=int(i) in right) for i in best]
    return ImageQuery(key=result.pairs[row].key, rank=float(result.image_ranks[row]), found=found)


def _grid(result: RetrievalResult) -> SimilarityGrid:
    """A few images against one caption of each."""
    captions: dict[int, int] = {}  # caption → image, so that no caption stands there twice
    for row in np.random.default_rng(SEED).permutation(len(result.pairs)):
        free = [column for column in result.captions_of_image[row] if column not in captions]
        if free and len(captions) < GRID_SIZE:
            captions[free[0]] = int(row)
    columns, rows = list(captions), list(captions.values())
    return SimilarityGrid(
        image_keys=[result.pairs[row].key for row in rows],
        texts=[result.captions[column] for column in columns],
        cosines=rounded(result.text_vectors[columns] @ result.image_vectors[rows].T),
    )
