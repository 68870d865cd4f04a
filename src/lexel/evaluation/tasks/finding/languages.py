"""Finding pictures by captions in one language after another, and captions by pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lexel.data.languages import check_languages, texts_of
from lexel.errors import UsageError
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.metrics.metric import Metric
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.phrases import chance, interval, percent
from lexel.evaluation.report.sections import Block, Examples, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.finding.retrieval import WORDS, RetrievalResult, retrieval

SHOWN = (
    ("caption → image, first", "text_to_image", "recall@1"),
    ("within ten", "text_to_image", "recall@10"),
    ("image → caption, first", "image_to_text", "recall@1"),
    ("within ten", "image_to_text", "recall@10"),
)


class LanguageRetrieval:
    """The task: captions in each of the languages, of two images or more."""

    name = "languages"
    needs = "captions of two images in each of the languages"

    def __init__(self, languages: Sequence[str]) -> None:
        """Columns of captions, or their codes: "de" for captions_de, "en" for the captions themselves."""
        self.languages = list(dict.fromkeys(languages))

    def fits(self, wanted: TaskRequest) -> bool:
        """Raises UsageError that names the language of which there is nothing, before anything is embedded."""
        check_languages(wanted.source, self.languages)
        return True

    def measure(self, given: TaskInput) -> TaskSection:
        results = {language: _retrieval(given, language) for language in self.languages}
        images = len(given.embedded.pairs)
        blocks: list[Block] = [_table(results, images)]
        outcomes: dict[str, Outcome] = {}
        for language, result in results.items():
            first_rows = result.rows[[rows[0] for rows in result.images_of_caption]]
            for way, metrics, hits, groups in (
                ("text_to_image", result.text_to_image, result.text_hits, first_rows),
                ("image_to_text", result.image_to_text, result.image_hits, result.rows),
            ):
                title = f"{language}: {'from caption to image' if way == 'text_to_image' else 'from image to caption'}"
                blocks.append(Numbers(key=f"{language}/{way}", title=title, metrics=metrics, words=WORDS))
                outcomes |= {f"{language}/{way}/{name}": Outcome(found, groups) for name, found in hits.items()}
        missing = [
            f"{language}: {images - len(result.pairs):,} of {images:,} images have no caption"
            for language, result in results.items()
            if len(result.pairs) < images
        ]
        section = TaskSection(
            task=self.name,
            title="Finding images and captions, language by language",
            headline="; ".join(_sentence(language, result) for language, result in results.items()) + ".",
            facts=tuple(missing),
            blocks=blocks,
            method=("In each language the images that have captions in it are searched through.",),
            headline_metrics=[f"{language}/text_to_image/recall@1" for language in results],
        )
        return section.with_outcomes(outcomes)


def _retrieval(given: TaskInput, language: str) -> RetrievalResult:
    embedded = given.embedded
    kept = [(row, texts) for row, pair in enumerate(embedded.pairs) if (texts := texts_of(pair, language))]
    pairs = [replace(embedded.pairs[row], captions=texts) for row, texts in kept]
    spoken = EmbeddedSource(
        embedded.source, pairs, embedded.vectors[[row for row, _ in kept]], embedded.unreadable, embedded.cache
    )
    try:
        result = retrieval(given.encoder, spoken)
    except UsageError as error:
        raise UsageError(f"In the language {language}: {error}") from None
    return replace(result, rows=result.rows if len(pairs) == len(embedded.pairs) else _rows(result, kept))


def _rows(result: RetrievalResult, kept: Sequence[tuple[int, tuple[str, ...]]]) -> np.ndarray:
    """Where the images stand in the whole source."""
    return np.array([kept[row][0] for row in result.rows])


def _sentence(language: str, result: RetrievalResult) -> str:
    first = result.text_to_image["recall@1"]
    return f"{language}: the image of a caption is the first {percent(first.value)} of the time ({interval(first)})"


def _table(results: dict[str, RetrievalResult], images: int) -> Examples:
    guess = chance(next(iter(results.values())).text_to_image["recall@1"])
    return Examples(
        title="Language by language",
        explanation=f"With 95 % intervals; guessing would put the image of a caption first {guess} of the time.",
        columns=["language", "images", "captions", *(title for title, _, _ in SHOWN)],
        rows=[
            [
                language,
                f"{len(result.pairs):,}" + (f" of {images:,}" if len(result.pairs) < images else ""),
                f"{len(result.captions):,}",
                *(_cell(getattr(result, way)[name]) for _, way, name in SHOWN),
            ]
            for language, result in results.items()
        ],
    )


def _cell(metric: Metric) -> str:
    return f"{percent(metric.value)} ({interval(metric)})"
