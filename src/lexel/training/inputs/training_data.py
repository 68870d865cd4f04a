"""From a recipe to what a run needs: pairs to learn from, pairs held out, and the tokenizer of their captions."""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lexel.batches import ceil_div
from lexel.data.captions import NO_TEXT, fill, says_something
from lexel.data.languages import has_pictures
from lexel.data.loader import TrainingSource
from lexel.data.pairs import Pair, Source, choose
from lexel.data.readers.mixture import mixture_parts, sample_counts
from lexel.errors import DataError
from lexel.evaluation.texts.templates import templates
from lexel.progress import say
from lexel.terminal import counted
from lexel.tokenizer import Tokenizer
from lexel.training.inputs.input_reader import InputReader
from lexel.training.recipe import EvaluationSettings, Recipe, SourceSettings

MAX_HELD_OUT_PAIRS = 2000  # enough for intervals of four percentage points


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from and is measured on."""

    sources: tuple[TrainingSource, ...]
    held_out: Source
    fingerprint: str  # of keys, captions and labels learned from
    silent: int = 0  # pairs without captions and labels, which a teacher alone speaks of
    # Where a text tower learns languages: every text, and the English ones whose vector it is to give.
    english: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def pairs(self) -> int:
        return sum(len(source.pairs) for source in self.sources)

    @property
    def is_spoken_of(self) -> bool:
        """Whether the held-out pictures have captions or labels to be measured by."""
        return says_something(self.held_out.pairs[0])

    def few_held_out(self, count: int) -> Source:
        """At most `count` of the held-out pairs, spread evenly over them."""
        every = ceil_div(len(self.held_out.pairs), count)
        return replace(self.held_out, pairs=self.held_out.pairs[::every])

    def labels(self) -> list[str] | None:
        """All labels that are known, to choose among when the model is measured; None where nothing is labelled."""
        if not self.held_out.labels:
            return None
        return sorted({*self.held_out.labels, *(p.label for s in self.sources for p in s.pairs if p.label is not None)})

    def texts(self) -> Iterator[str]:
        """Every text that can be drawn, once per pair."""
        return texts_of(self.sources)


def texts_of(sources: Iterable[TrainingSource]) -> Iterator[str]:
    """Every text that can be drawn of these sources, once per pair."""
    for source in sources:
        for pair in source.pairs:
            yield from pair.captions
            if pair.label and (source.label_share or not pair.captions):
                yield from (fill(template, pair.label) for template in source.templates)
            elif not says_something(pair):
                yield NO_TEXT


def gather(recipe: Recipe, reader: InputReader) -> TrainingData:
    """Read the recipe's sources and set the held-out pairs apart. Raises UsageError or DataError."""
    sources: list[TrainingSource] = []
    held_out: list[Source] = []
    parts, mixtures = source_parts(recipe)
    for settings in parts:
        source = _read(reader, settings, recipe)
        pairs = source.pairs
        if recipe.evaluation.source is None and has_pictures(source):
            pairs, apart = _set_apart(reader, source, settings, recipe)
            held_out.append(apart)
        chosen = recipe.data.templates if settings.templates is None else settings.templates
        sources.append(TrainingSource(pairs, settings.weight, templates(chosen), settings.label_share))
    if recipe.evaluation.source is not None:
        settings = SourceSettings(source=recipe.evaluation.source)
        held_out.append(_read(reader, settings, recipe, prefer=("val", "test")))
    if not held_out:
        raise DataError(
            "Sentences without pictures do not suffice to measure a model on.\n"
            "Name a source with pictures and captions in these languages: --set evaluation.source=SOURCE"
        )
    apart = _merged(held_out)
    sources = _with_shares([_without(source, apart) for source in sources], mixtures)
    silent = len(_rows((pair for source in sources for pair in source.pairs), lambda pair: not says_something(pair)))
    data = TrainingData(
        tuple(sources), apart, fingerprint_of(pair for source in sources for pair in source.pairs), silent
    )
    if silent < data.pairs or recipe.evaluation.source is not None:
        data = replace(data, held_out=_spoken_of(apart))
        _check_measurable(data.held_out)
    return data


@dataclass(frozen=True)
class MixedSources:
    """Sources that stand side by side: the place of the first, the share of each, and the passes over all of them."""

    start: int
    shares: tuple[float, ...]
    weight: float


def source_parts(recipe: Recipe) -> tuple[list[SourceSettings], list[MixedSources]]:
    """The recipe's sources, each mixture replaced by what it is of: one for each of `TrainingData.sources`."""
    parts: list[SourceSettings] = []
    mixtures: list[MixedSources] = []
    for settings in recipe.data.sources:
        mixed = mixture_parts(settings.source)
        if mixed:
            mixtures.append(MixedSources(len(parts), tuple(part.share for part in mixed), settings.weight))
        parts += [settings.model_copy(update={"source": part.source}) for part in mixed] or [settings]
    return parts, mixtures


def _with_shares(sources: list[TrainingSource], mixtures: Sequence[MixedSources]) -> list[TrainingSource]:
    """The sources, those of a mixture with the passes that give each its share of the samples."""
    weighed = list(sources)
    for mixture in mixtures:
        stop = mixture.start + len(mixture.shares)
        mixed = sources[mixture.start : stop]
        sizes = [len(source.pairs) for source in mixed]
        weighed[mixture.start : stop] = [
            replace(source, weight=mixture.weight * count / size)
            for source, size, count in zip(mixed, sizes, sample_counts(sizes, mixture.shares), strict=True)
        ]
    return weighed


def train_tokenizer(recipe: Recipe, training_data: TrainingData, context_length: int) -> Tokenizer:
    """Learn the vocabulary from the captions."""
    return Tokenizer.train(training_data.texts(), recipe.tokenizer.vocabulary_size, context_length)


def say_truncated(tokenizer: Tokenizer, training_data: TrainingData) -> None:
    """Print the size of the vocabulary, and how many captions the context cuts."""
    captions = sorted(
        {caption for source in training_data.sources for pair in source.pairs for caption in pair.captions}
    )
    say(
        f"Vocabulary: {tokenizer.vocabulary_size:,} tokens. Captions longer than {tokenizer.context_length} tokens and "
        f"cut: {tokenizer.count_truncated(captions):,} of {len(captions):,}."
    )


def evaluation_templates(recipe: Recipe) -> str | tuple[str, ...]:
    """The templates in which labels are shown when the run is measured."""
    return recipe.data.templates if recipe.evaluation.templates is None else recipe.evaluation.templates


def _read(
    reader: InputReader, settings: SourceSettings, recipe: Recipe, prefer: tuple[str, ...] = ("train",)
) -> Source:
    """The source, without what says nothing, unless a teacher does."""
    taught = recipe.distill is not None
    if recipe.languages:
        source = reader.parallel_source(settings, recipe.data, recipe.languages, prefer)
    else:
        source = reader.source(settings, recipe.data, prefer, text_required=not taught)
    for note in source.notes:
        say(note if note.startswith(f"{Path(settings.source).name}: ") else f"{settings.source}: {note}")
    speaking = _rows(source.pairs, says_something)
    if taught:
        if silent := len(source.pairs) - len(speaking):
            say(f"{settings.source}: {counted(silent, 'image')} without caption or label, taught by the teacher alone.")
        return source
    if not len(speaking):
        raise DataError(
            f"{settings.source} has {counted(len(source.pairs), 'image')} without captions or labels: "
            "there is nothing to learn.\n"
            "Give captions in metadata.csv or side-car .txt files, or sort the images into one folder per class."
        )
    if silent := len(source.pairs) - len(speaking):
        say(f"{settings.source}: left out {counted(silent, 'image')} without caption or label.")
    return replace(source, pairs=choose(source.pairs, speaking)) if silent else source


def _set_apart(
    reader: InputReader, source: Source, settings: SourceSettings, recipe: Recipe
) -> tuple[Sequence[Pair], Source]:
    """The pairs to learn from, and those to measure on: the source's own val split, or a share chosen by key."""
    if source.split == "train" and "val" in source.splits:
        beside = settings.model_copy(update={"source": _val_beside(settings.source)})
        return source.pairs, _read(reader, beside, recipe)
    kept, apart = _divide(source.pairs, recipe.evaluation, recipe.seed)
    say(f"{settings.source}: {len(apart):,} of {len(source.pairs):,} pairs are held out to measure the model on.")
    return kept, replace(source, name=f"{settings.source}, held out", pairs=apart)


def _val_beside(source: str) -> str:
    """The name of the val split of a source of which the train split was taken, by name or by default."""
    place, mark, seed = source.partition("?")  # scenes:2000?seed=3
    return f"{place.removesuffix('/train')}/val{mark}{seed}"


def _divide(pairs: Sequence[Pair], settings: EvaluationSettings, seed: int) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Hold out the pairs whose hash is lowest: the choice of a pair does not depend on the others' order."""
    digests = (hashlib.blake2b(f"{seed}/{pair.key}".encode(), digest_size=8).digest() for pair in pairs)
    hashes = np.frombuffer(b"".join(digests), ">u8")
    ranked = np.argsort(hashes, kind="stable")
    count = min(MAX_HELD_OUT_PAIRS, max(2, round(len(ranked) * settings.holdout)))
    if len(ranked) - count < 2:
        raise DataError(
            f"{counted(len(ranked), 'pair is', 'pairs are')} too few to learn from some and hold "
            f"{settings.holdout:.0%} of them out.\nName other pairs to measure on: --set evaluation.source=SOURCE"
        )
    kept = ~np.isin(hashes, hashes[ranked[:count]])  # nor a pair of the same key
    return choose(pairs, np.flatnonzero(kept)), choose(pairs, ranked[:count])


def _without(source: TrainingSource, held_out: Source) -> TrainingSource:
    """The source without pictures that the model is measured on, should two sources share some."""
    measured_on = {pair.picture for pair in held_out.pairs}
    kept = _rows(source.pairs, lambda pair: pair.picture not in measured_on)
    if not len(kept):
        raise DataError("Every picture to learn from is one to measure on. Name others: --set evaluation.source=SOURCE")
    if shared := len(source.pairs) - len(kept):
        are = counted(shared, "pair is", "pairs are")
        say(f"{are} not learned from: the model is measured on the same picture{'s' if shared > 1 else ''}.")
    return replace(source, pairs=choose(source.pairs, kept)) if shared else source


def _rows(pairs: Iterable[Pair], wanted: Callable[[Pair], bool]) -> np.ndarray:
    """(N,) int64: the numbers of the pairs that are wanted; the pairs themselves are let go of."""
    return np.array(array("q", (row for row, pair in enumerate(pairs) if wanted(pair))), np.int64)


def _check_measurable(held_out: Source) -> None:
    captioned = [pair for pair in held_out.pairs if pair.captions]
    captions = {caption for pair in captioned for caption in pair.captions}
    if min(len(captioned), len(captions)) < 2 and not held_out.labels:
        raise DataError(
            f"{held_out.name}: {counted(len(held_out.pairs), 'pair')} with {counted(len(captions), 'caption')} are too "
            "few to measure on."
            "\nName others: --set evaluation.source=SOURCE"
        )


def _spoken_of(source: Source) -> Source:
    """The source without pictures that have neither caption nor label."""
    speaking = _rows(source.pairs, says_something)
    return source if len(speaking) == len(source.pairs) else replace(source, pairs=choose(source.pairs, speaking))


def _merged(sources: list[Source]) -> Source:
    if len(sources) == 1:
        return sources[0]
    pairs = [replace(pair, key=f"{source.name}/{pair.key}") for source in sources for pair in source.pairs]
    return Source("held-out pairs of all sources", pairs)


def fingerprint_of(pairs: Iterable[Pair]) -> str:
    """Sixteen hex digits of keys, labels and captions."""
    digest = hashlib.blake2b(digest_size=8)
    for pair in pairs:
        weights = map(repr, pair.caption_weights)
        digest.update("\0".join((pair.key, pair.label or "", *pair.captions, *weights, "")).encode())
    return digest.hexdigest()
