"""From pairs with captions in several languages to what a text tower learns: texts, each with its English ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lexel.data.frozen_vectors import EmbeddedTexts, FrozenVectors
from lexel.data.languages import ENGLISH, columns_beside, texts_of
from lexel.data.loader import TrainingSource
from lexel.data.pairs import Pair
from lexel.errors import UsageError
from lexel.files import new_file
from lexel.progress import say
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.inputs.embedding_cache import embed_these_texts
from lexel.training.inputs.training_data import TrainingData

TARGETS = "targets.npy"  # beside the teacher's embeddings


def by_language(training_data: TrainingData, languages: Sequence[str]) -> TrainingData:
    """The same data with a source for each language, English first. Raises UsageError where a language is missing."""
    pairs = [pair for source in training_data.sources for pair in source.pairs]
    sources: list[TrainingSource] = []
    for language in dict.fromkeys((ENGLISH, *languages)):
        count = 0
        for source in training_data.sources:
            spoken = [
                Pair(f"{pair.key}/{language}", pair.picture, texts)
                for pair in source.pairs
                if (texts := pair.captions if language == ENGLISH else texts_of(pair, language))
            ]
            count += len(spoken)
            if spoken:
                sources.append(replace(source, pairs=spoken, label_share=0.0))
        if not count:
            raise UsageError(
                f"recipe: languages.columns: there is no caption in {language}.\n"
                f"Beside the English captions there are the columns: {columns_beside(pairs)}."
            )
        without = f" ({len(pairs) - count:,} without)" if count < len(pairs) else ""
        say(f"Language {language}: captions of {count:,} of {len(pairs):,} rows{without}.")
    return replace(training_data, sources=tuple(sources), english=english_of(pairs, languages))


def english_of(pairs: Iterable[Pair], languages: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Every text → the English ones of the rows that it stands in; an English one is its own."""
    found: dict[str, dict[str, None]] = {}
    own: set[str] = set()
    for pair in pairs:
        own.update(pair.captions)
        for language in languages:
            for text in texts_of(pair, language):
                found.setdefault(text, {}).update(dict.fromkeys(pair.captions))
    return {text: tuple(english) for text, english in found.items()} | {text: (text,) for text in own}


def ask_teacher_for_english(teacher: SharedEncoder, folder: Path, training_data: TrainingData) -> EmbeddedTexts:
    """What each text is to give: the unit mean of what the teacher gives its English ones, in `folder`."""
    english_of_text = training_data.english
    english = sorted({one for several in english_of_text.values() for one in several})
    known = embed_these_texts(
        folder, teacher, english, f"The teacher {teacher.name} embeds the English captions once, to be kept."
    )
    texts = sorted(english_of_text)

    def write() -> None:
        vectors = np.asarray(known.vectors.rows)
        targets = np.stack([vectors[[known.row_of[one] for one in english_of_text[text]]].mean(0) for text in texts])
        targets /= np.maximum(np.linalg.norm(targets, axis=1, keepdims=True), 1e-12)
        with new_file(folder / TARGETS) as temporary, open(temporary, "wb") as file:
            np.save(file, targets.astype(np.float32))

    teacher.world.once(write)
    return EmbeddedTexts(FrozenVectors(folder / TARGETS), {text: row for row, text in enumerate(texts)})
