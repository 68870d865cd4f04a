"""Retrieval by the protocol of the published tables (Karpathy splits; as CLIP_benchmark measures).

Every caption is a query of its own whose only right image is the one that it was written for; of an image any of its
captions is right. A caption that two images share therefore counts as a mistake for one of them: see `retrieval` for
the protocol without that fault.
"""

from __future__ import annotations

import numpy as np

from lexel.evaluation.metrics.average_precision import average_precision
from lexel.evaluation.metrics.metric import (
    RESAMPLES,
    Metric,
    best_positions,
    chance_recall,
    grouped_mean,
    proportion,
    resampled_means,
)
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.phrases import interval, percent
from lexel.evaluation.report.sections import Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

RECALL_AT = (1, 5, 10)
WORDS = {
    "recall@1": "The first is right",
    "recall@5": "A right one within 5",
    "recall@10": "A right one within 10",
    "mean_average_precision": "Mean average precision",
    "mean_rank": "Mean rank of the first right one",
}


class PublishedRetrieval:
    """The task: two captioned images or more, some with several captions."""

    name = "published_retrieval"
    needs = "two captioned images, one of them with several captions"

    def fits(self, wanted: TaskRequest) -> bool:
        captioned = [pair for pair in wanted.source.pairs if pair.captions]
        return len(captioned) >= 2 and any(len(pair.captions) > 1 for pair in captioned)

    def measure(self, given: TaskInput) -> TaskSection:
        embedded = given.embedded
        rows = np.array([row for row, pair in enumerate(embedded.pairs) if pair.captions])
        image_of = np.repeat(np.arange(len(rows)), [len(embedded.pairs[row].captions) for row in rows])
        captions = [caption for row in rows for caption in embedded.pairs[row].captions]
        distinct = list(dict.fromkeys(captions))
        place = {caption: i for i, caption in enumerate(distinct)}
        texts = embedded.embed_texts(given.encoder, distinct)[[place[caption] for caption in captions]]
        images = embedded.vectors[rows]
        own = np.split(np.arange(len(captions)), np.cumsum(np.bincount(image_of))[:-1])
        to_text, text_hits = _direction(images, texts, [columns.tolist() for columns in own], np.arange(len(rows)))
        to_image, image_hits = _direction(texts, images, image_of[:, None].tolist(), image_of)
        first, back = to_image["recall@1"], to_text["recall@1"]
        section = TaskSection(
            task=self.name,
            title="Retrieval by the published protocol",
            headline=(
                f"By the published protocol, text to image recall@1 is {percent(first.value)} ({interval(first)}) and "
                f"image to text recall@1 {percent(back.value)} ({interval(back)}), with {counted(len(rows), 'image')} "
                f"and {counted(len(captions), 'caption')}."
            ),
            blocks=[
                Numbers(key="text_to_image", title="From caption to image", metrics=to_image, words=WORDS),
                Numbers(key="image_to_text", title="From image to caption", metrics=to_text, words=WORDS),
            ],
            method=(
                "Published protocol: every caption is a query of its own, also where two read the same, and only the "
                "image that it was written for is right; of an image any of its captions is right.",
            ),
            headline_metrics=["text_to_image/recall@1", "image_to_text/recall@1"],
        )
        return section.with_outcomes(
            {f"text_to_image/{name}": Outcome(hits, rows[image_of]) for name, hits in image_hits.items()}
            | {f"image_to_text/{name}": Outcome(hits, rows) for name, hits in text_hits.items()}
        )


def _direction(
    queries: np.ndarray, candidates: np.ndarray, relevant: list[list[int]], groups: np.ndarray
) -> tuple[dict[str, Metric], dict[str, np.ndarray]]:
    """Metrics of one direction, and what each query contributes to those that are means of shares."""
    positions = best_positions(queries, candidates, relevant)
    counts = np.array([len(columns) for columns in relevant])
    values = {f"recall@{k}": positions.hits_at(k) for k in RECALL_AT}
    metrics = {
        name: proportion(values[name], chance_recall(len(candidates), counts, k), groups)
        for name, k in zip(values, RECALL_AT, strict=True)
    }
    values["mean_average_precision"] = average_precision(queries, candidates, relevant)
    metrics["mean_average_precision"] = grouped_mean(values["mean_average_precision"], groups, None)
    ranks = positions.ranks()
    low, high = np.percentile(resampled_means(ranks[:, None], groups, resamples=RESAMPLES)[:, 0], [2.5, 97.5])
    chance = float(((len(candidates) + 1) / (counts + 1)).mean())  # of the first of so many right ones
    metrics["mean_rank"] = Metric(
        value=float(ranks.mean()), low=float(low), high=float(high), chance=chance, unit="rank", less_is_better=True
    )
    return metrics, values
