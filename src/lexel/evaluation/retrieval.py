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
from lexel.evaluation.metrics import Metric, best_positions, chance_median_rank, chance_recall, median_rank, proportion

if TYPE_CHECKING:
    from lexel.encoder import Encoder

RECALL_AT = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class RetrievalResult:
    """How well captions and images find each other."""

    image_to_text: dict[str, Metric]  # recall@1, recall@5, recall@10, median_rank
    text_to_image: dict[str, Metric]
    pairs: list[Pair]  # (N,)
    captions: list[str]  # (M,), distinct
    captions_of_image: list[list[int]]  # (N,) lists of columns
    images_of_caption: list[list[int]]  # (M,) lists of rows
    image_vectors: np.ndarray  # (N, D)
    text_vectors: np.ndarray  # (M, D)
    image_ranks: np.ndarray  # (N,) expected rank of each image's best caption
    text_ranks: np.ndarray  # (M,) expected rank of each caption's best image


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

    images, texts = embedded.vectors[rows], encoder.embed_texts(captions)
    image_to_text, image_ranks = _measure(images, texts, captions_of_image, groups=np.arange(len(pairs)))
    first_image = np.array([rows[0] for rows in images_of_caption])
    text_to_image, text_ranks = _measure(texts, images, images_of_caption, groups=first_image)
    return RetrievalResult(
        image_to_text=image_to_text,
        text_to_image=text_to_image,
        pairs=pairs,
        captions=captions,
        captions_of_image=captions_of_image,
        images_of_caption=images_of_caption,
        image_vectors=images,
        text_vectors=texts,
        image_ranks=image_ranks,
        text_ranks=text_ranks,
    )


def _measure(
    queries: np.ndarray, candidates: np.ndarray, relevant: list[list[int]], groups: np.ndarray
) -> tuple[dict[str, Metric], np.ndarray]:
    """The metrics of one direction and the rank of each query; queries of one group depend on each other."""
    positions = best_positions(queries, candidates, relevant)
    counts = np.array([len(columns) for columns in relevant])
    metrics = {
        f"recall@{k}": proportion(positions.hits_at(k), chance_recall(len(candidates), counts, k), groups)
        for k in RECALL_AT
    }
    ranks = positions.ranks()
    metrics["median_rank"] = median_rank(ranks, groups, chance_median_rank(len(candidates), counts))
    return metrics, ranks
