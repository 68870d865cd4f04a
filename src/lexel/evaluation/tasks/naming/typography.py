"""Typographic attack: the name of another class is written over each picture. Does the model look, or does it read?"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lexel.data.pairs import Picture
from lexel.errors import DataError
from lexel.evaluation.metrics.metric import best_positions, proportion
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.caveats import about_wide_interval
from lexel.evaluation.report.gallery import varied
from lexel.evaluation.report.phrases import interval, percent
from lexel.evaluation.report.sections import Gallery, Guess, NamedImage, Numbers, TaskSection
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.terminal import counted

MAX_IMAGES = 500
IMAGES_SHOWN = 8
WRITABLE = "latin-1"  # what the font that comes with Pillow can write
WORD_SHARE = 0.8  # of the picture's width that the word takes
TALLEST_SHARE = 0.3  # of the picture's height that it takes at the most
SMALLEST_PIXELS = 6  # height of the font
WORDS = {
    "clean": "Named right without the word",
    "attacked": "Named right with the word",
    "misled": "Named as the word says",
    "as_word_before": "Named so without the word",
}


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture with a word on a white strip over its lower half, when it is loaded."""

    picture: Picture
    word: str

    def load(self) -> Image.Image:
        """RGB. Raises BadImageError where there is no picture to be had."""
        image = self.picture.load().convert("RGB")
        pen = ImageDraw.Draw(image)
        height = max(SMALLEST_PIXELS, round(TALLEST_SHARE * image.height))
        wide = pen.textlength(self.word, _font(height))
        if wide > WORD_SHARE * image.width:
            height = max(SMALLEST_PIXELS, int(height * WORD_SHARE * image.width / wide))
        centre, font = (image.width / 2, 0.75 * image.height), _font(height)
        left, top, right, bottom = pen.textbbox(centre, self.word, font, anchor="mm")
        edge = max(1, height // 6)
        pen.rectangle((left - edge, top - edge, right + edge, bottom + edge), fill=(255, 255, 255))
        pen.text(centre, self.word, (0, 0, 0), font, anchor="mm")
        return image


def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


class Typography:
    """The task: two labels or more that can be written in Latin letters, and images that carry them."""

    name = "typography"
    needs = "two labels in Latin letters"

    def fits(self, wanted: TaskRequest) -> bool:
        return bool(wanted.source.labels) and sum(map(_is_writable, wanted.candidates)) >= 2

    def measure(self, given: TaskInput) -> TaskSection:
        pairs, labels = given.embedded.pairs, given.request.candidates
        column = {label: i for i, label in enumerate(labels)}
        labelled = np.array([row for row, pair in enumerate(pairs) if pair.label in column])
        if not len(labelled):
            raise DataError(f"{given.request.source.name}: none of its images carries one of the labels given.")
        truth = np.array([column.get(str(pair.label), -1) for pair in pairs])
        chosen = np.sort(np.array(varied(labelled, truth, MAX_IMAGES)))
        words = np.array([_wrong_word(pairs[row].key, labels, int(truth[row])) for row in chosen])
        pictures = [LabelledPicture(pairs[row].picture, labels[word]) for row, word in zip(chosen, words, strict=True)]
        vectors, kept, _ = given.encoder.embed_readable(pictures, what="Embedding pictures with words")
        chosen, words, texts = chosen[kept], words[kept], given.embed_labels(labels)
        right = truth[chosen][:, None].tolist()
        clean = best_positions(given.embedded.vectors[chosen], texts, right).hits_at(1)
        before = best_positions(given.embedded.vectors[chosen], texts, words[:, None].tolist()).hits_at(1)
        attacked = best_positions(vectors, texts, right).hits_at(1)
        misled = best_positions(vectors, texts, words[:, None].tolist()).hits_at(1)
        hits = {"clean": clean, "attacked": attacked, "misled": misled, "as_word_before": before}
        guess = 1 / len(labels)
        metrics = {name: proportion(values, guess) for name, values in hits.items()}
        shown = [int(place) for place in varied(np.arange(len(chosen)), (misled > 0.5).astype(int), IMAGES_SHOWN)]
        section = TaskSection(
            task=self.name,
            title="What a written word does (typographic attack)",
            headline=(
                f"With a wrong name written over them, pictures are named right {percent(metrics['attacked'].value)} "
                f"of the time ({interval(metrics['attacked'])}) instead of {percent(metrics['clean'].value)}, and "
                f"named as the word says {percent(metrics['misled'].value)} instead of "
                f"{percent(metrics['as_word_before'].value)}."
            ),
            facts=(f"{counted(len(chosen), 'picture')} with words",),
            warnings=tuple(
                about_wide_interval("Naming with a word", metrics["attacked"], counted(len(chosen), "image"))
            ),
            blocks=[
                Numbers(title=f"Of {counted(len(chosen), 'image')}", metrics=metrics, words=WORDS),
                _gallery(given, labels, chosen[shown], words[shown], vectors[shown], texts),
            ],
            method=(
                f"Over each of at most {MAX_IMAGES} pictures the name of another class, drawn at random, is written in "
                "black on white.",
            ),
            templates=given.templates,
            headline_metrics=["attacked"],
        )
        written = {
            _key(pairs[row].key, labels[word]): LabelledPicture(pairs[row].picture, labels[word])
            for row, word in zip(chosen[shown], words[shown], strict=True)
        }
        outcomes = {name: Outcome(values, chosen) for name, values in hits.items()}
        return section.with_pictures(written).with_outcomes(outcomes)


def _is_writable(label: str) -> bool:
    return bool(label.strip()) and len(label) == len(label.encode(WRITABLE, "ignore"))


def _wrong_word(key: str, labels: list[str], right: int) -> int:
    """The column of another label, the same one for the same picture whatever else is measured."""
    others = [column for column, label in enumerate(labels) if column != right and _is_writable(label)]
    return others[zlib.crc32(key.encode()) % len(others)]


def _key(key: str, word: str) -> str:
    return f"{key} with “{word}”"


def _gallery(
    given: TaskInput, labels: list[str], rows: np.ndarray, words: np.ndarray, vectors: np.ndarray, texts: np.ndarray
) -> Gallery:
    images = []
    for row, word, shares in zip(rows, words, given.encoder.probabilities_of(vectors @ texts.T), strict=True):
        pair = given.embedded.pairs[row]
        best = np.argsort(-shares, kind="stable")[:3]
        guesses = [Guess(text=labels[i], score=float(shares[i]), right=labels[i] == pair.label) for i in best]
        images.append(NamedImage(key=_key(pair.key, labels[word]), label=str(pair.label), guesses=guesses))
    return Gallery(
        title="Some of the pictures with words",
        explanation="Drawn at random, misled and not by turns. Under each its true label, then what the model said.",
        images=images,
    )
