"""Reads what a recipe names, sources and starting weights, each once.

What was read to choose a default recipe, or to plan a run, is not read again for the run.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lexel.data.languages import read_sentences
from lexel.data.pairs import Source
from lexel.data.readers import read_source
from lexel.errors import DataError, UnfitSettingError, UsageError
from lexel.training.distillation.languages import LanguageSettings
from lexel.training.inputs.starting_weights import StartingWeights, read_starting_weights
from lexel.training.recipe import DataSettings, ModelSettings, SourceSettings


class InputReader:
    """What has been read is kept, and given out again, until it is forgotten."""

    def __init__(self) -> None:
        self._sources: dict[str, Source] = {}
        self._weights: dict[str, StartingWeights] = {}

    def source(
        self,
        settings: SourceSettings,
        data: DataSettings,
        prefer: tuple[str, ...] = ("train",),
        *,
        text_required: bool = True,
    ) -> Source:
        """The source, read with the columns that it or the data names. Raises UsageError or DataError.

        `prefer` are the splits to take, the first that there is, where the source does not name one. A table without
        any text is an error, or, with `text_required=False`, pictures alone.
        """
        columns = {
            "caption": settings.caption or data.caption,
            "label": settings.label or data.label,
            "image": settings.image or data.image,
            "encoding": settings.encoding or data.encoding,
        }
        own = {name: getattr(settings, name) for name in columns}
        key = repr((settings.source, prefer, columns, own, text_required))
        if key not in self._sources:
            self._sources[key] = self._read(settings.source, data, prefer, columns, own, text_required)
        return self._sources[key]

    def other_source(self, name: str, setting: str, data: DataSettings, prefer: tuple[str, ...] = ("train",)) -> Source:
        """A source beside those of the data, which the recipe names in `setting`; the data's columns are not its own.

        Raises UsageError or DataError.
        """
        own_names = data.model_copy(update={"caption": None, "label": None, "image": None})
        try:
            return self.source(SourceSettings(source=name), own_names, prefer)
        except (UsageError, DataError) as error:
            raise type(error)(f"{setting}: {error}") from None

    def parallel_source(
        self,
        settings: SourceSettings,
        data: DataSettings,
        languages: LanguageSettings,
        prefer: tuple[str, ...] = ("train",),
    ) -> Source:
        """A source with its captions in English, and in other languages in `Pair.extras`; or sentences alone.

        Raises UsageError or DataError.
        """
        english, encoding = languages.english or settings.caption or data.caption, settings.encoding or data.encoding
        key = repr((settings.source, prefer, english, encoding, "parallel"))
        if key not in self._sources:
            named = english if isinstance(english, str) else None
            found = read_sentences(Path(settings.source).expanduser(), named, encoding)
            self._sources[key] = found or read_source(
                settings.source,
                prefer=prefer,
                caption=english,
                image=settings.image or data.image,
                encoding=encoding,
                keep_columns=True,
            )
        return self._sources[key]

    def _read(
        self,
        name: str,
        data: DataSettings,
        prefer: tuple[str, ...],
        columns: dict[str, Any],
        own: dict[str, Any],
        text_required: bool,
    ) -> Source:
        try:
            return read_source(name, prefer=prefer, text_required=text_required, **columns)
        except UnfitSettingError as error:
            # What is named for all sources is for those that it fits.
            if own == columns or all(other.source == name for other in data.sources):
                raise
            source = read_source(name, prefer=prefer, text_required=text_required, **own)
            return replace(source, notes=(*source.notes, str(error).partition("\n")[0]))

    def starting_weights(self, settings: ModelSettings) -> StartingWeights:
        """The models that a run begins from. Raises UsageError or ModelError."""
        sizes = settings.image.get("image_size"), settings.text.get("context_length")
        key = repr((settings.weights, settings.image_weights, settings.text_weights, sizes))
        if key not in self._weights:
            self._weights[key] = read_starting_weights(settings)
        return self._weights[key]

    def forget(self) -> None:
        """Let go of all that was read, so that a run does not hold its first weights in memory twice."""
        self._sources.clear()
        self._weights.clear()
