"""All that an audit says of a source: facts, and warnings."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lexel.data.audit.captions import LISTED_VALUES, caption_facts
from lexel.data.audit.copies import Leak, NearCopies, exact_copies, leak, near_copies
from lexel.data.audit.looks import Looks, look_at
from lexel.data.audit.odd import odd_pictures
from lexel.data.audit.spread import Histogram, Spread, ratio_histogram, spread, whole_histogram
from lexel.data.bad_images import BadImage
from lexel.data.pairs import Source
from lexel.terminal import counted

MIN_SIDE = 32  # pixels; a warning counts the pictures with a shorter side
MAX_SHARED_CAPTION = 0.01  # share of the images with the same caption; above it there is a warning


@dataclass(frozen=True, slots=True)
class Audit:
    """The facts of a source. Counts are of images, or of captions where the name says so."""

    source: str
    notes: tuple[str, ...]
    images: int
    pairs: int  # images that can be read and have a caption or a label
    bad: int  # unreadable
    with_captions: int
    with_labels: int
    captions: int
    distinct_captions: int
    captions_per_image: Spread | None
    caption_words: Spread | None
    caption_characters: Spread | None
    scripts: dict[str, int]  # captions in each, the most frequent first
    languages: dict[str, int]  # of captions in Latin letters, by their small words
    shared_captions: int  # distinct captions that are said of several images
    most_shared_captions: list[tuple[str, int]]
    near_captions: list[list[str]]  # distinct ones of the same words but for case, punctuation, numbers and order
    captions_near_another: int
    wordless_captions: list[str]  # without a letter or a digit
    file_name_captions: list[str]  # IMG_0123, holiday.jpg
    unprintable_captions: list[str]  # with control characters or wrongly decoded ones
    labels: int
    frequent_labels: list[tuple[str, int]]
    widths: Spread | None
    heights: Spread | None
    aspect_ratios: Spread | None  # width to height
    file_bytes: Spread | None
    small_images: int
    flat_images: int  # of one colour
    formats: dict[str, int]  # such as "JPEG RGB", most frequent first
    duplicates: list[list[str]]  # keys of images whose pixels are all the same
    near_duplicates: list[NearCopies]
    unreadable: list[BadImage]
    odd: dict[str, list[str]]  # keys of images to look at, by what is odd about them; "random" ones too
    histograms: dict[str, Histogram]
    leak: Leak | None  # what another source has too

    def to_json(self) -> dict[str, Any]:
        """All facts and warnings as plain lists and dictionaries."""
        return {**asdict(self), "warnings": self.warnings}

    @property
    def warnings(self) -> list[str]:
        """What a user should look at before training, one sentence each."""
        near = sum(len(group.others) for group in self.near_duplicates)
        uncaptioned = self.images - self.with_captions if self.with_captions else 0
        unlabelled = self.images - self.with_labels if self.with_labels else 0
        equal, alike = (counted(len(groups), "group") for groups in (self.duplicates, self.near_duplicates))
        found = [
            (len(self.unreadable), "image is", "images are", "unreadable and left out of training"),
            (uncaptioned, "image has", "images have", "no caption, while others have one"),
            (unlabelled, "image has", "images have", "no label, while others have one"),
            (sum(map(len, self.duplicates)), "image has", "images have", f"the pixels of another, in {equal}"),
            (near, "image looks", "images look", f"nearly like another, in {alike}"),
            (self.small_images, "image has", "images have", f"a side under {MIN_SIDE} pixels"),
            *_caption_warnings(self),
        ]
        sentences = [f"{counted(count, one, many)} {what}." for count, one, many, what in found if count]
        for caption, count in self.most_shared_captions[:1]:
            if count > max(MAX_SHARED_CAPTION * self.images, 1):
                sentences.append(f'{count:,} images have the same caption "{caption}"; a model cannot tell them apart.')
        return sentences + (_leak_warnings(self.leak) if self.leak else [])


def audit(source: Source, against: Source | None = None, processes: int = 0) -> Audit:
    """Decode every image of a source and read every caption; minutes for large ones, with progress shown.

    With `against`, say what that source has in common with it. `processes`: see `look_at`.

    Example: `audit(read_source("shop.csv")).warnings`
    """
    looks = look_at(source, processes)
    shared = None
    if against is not None:
        shared = leak(source, looks, against, look_at(against, processes))
    return audit_of(source, looks, shared)


def audit_of(source: Source, looks: Looks, shared: Leak | None = None) -> Audit:
    """The audit of a source whose pictures have been looked at."""
    said = caption_facts(source.pairs)
    labels = Counter(pair.label for pair in source.pairs if pair.label is not None)
    rows = looks.rows[looks.readable]
    exact = exact_copies(source, looks)
    keys = _Keys(source)
    short_side = np.minimum(rows["width"], rows["height"])
    aspects = rows["width"] / np.maximum(rows["height"], 1).astype(np.float64)
    return Audit(
        source=source.name,
        notes=source.notes,
        images=len(source.pairs),
        pairs=sum(
            there and (bool(pair.captions) or pair.label is not None)
            for pair, there in zip(source.pairs, looks.rows["readable"].tolist(), strict=True)
        ),
        bad=len(looks.bad),
        with_captions=said.with_captions,
        with_labels=labels.total(),
        captions=said.count,
        distinct_captions=said.distinct,
        captions_per_image=said.per_image,
        caption_words=said.words,
        caption_characters=said.characters,
        scripts=said.scripts,
        languages=said.languages,
        shared_captions=said.shared,
        most_shared_captions=said.most_shared,
        near_captions=said.near_groups,
        captions_near_another=said.near_distinct,
        wordless_captions=said.wordless,
        file_name_captions=said.file_names,
        unprintable_captions=said.unprintable,
        labels=len(labels),
        frequent_labels=labels.most_common(LISTED_VALUES),
        widths=spread(rows["width"]),
        heights=spread(rows["height"]),
        aspect_ratios=spread(aspects),
        file_bytes=spread(rows["bytes"][rows["bytes"] > 0]),
        small_images=int((short_side < MIN_SIDE).sum()),
        flat_images=int(looks.flat.sum()),
        formats=_formats(looks),
        duplicates=[keys.of(group) for group in exact],
        near_duplicates=[
            NearCopies(keys.of(group)[0], keys.of(group)[1:], alike[1:]) for group, alike in near_copies(looks, exact)
        ],
        unreadable=looks.bad,
        odd={name: keys.of(indices) for name, indices in odd_pictures(looks).items()},
        histograms={
            "caption_words": said.words_histogram,
            "short_side": whole_histogram(short_side),
            "aspect_ratio": ratio_histogram(aspects),
        },
        leak=shared,
    )


@dataclass(frozen=True, slots=True)
class _Keys:
    source: Source

    def of(self, indices: list[int]) -> list[str]:
        return [self.source.pairs[index].key for index in indices]


def _formats(looks: Looks) -> dict[str, int]:
    counts = np.bincount(looks.rows["format"][looks.readable], minlength=len(looks.formats)).tolist()
    return dict(
        Counter({name: count for name, count in zip(looks.formats, counts, strict=True) if count}).most_common()
    )


def _caption_warnings(audit: Audit) -> list[tuple[int, str, str, str]]:
    names, wordless, unprintable = audit.file_name_captions, audit.wordless_captions, audit.unprintable_captions
    return [
        (len(names), "caption is a file name", "captions are file names", f"instead of words{_example(names)}"),
        (len(wordless), "caption has", "captions have", f"no letter or digit{_example(wordless)}"),
        (len(unprintable), "caption has", "captions have", f"unprintable characters{_example(unprintable)}"),
    ]


def _leak_warnings(shared: Leak) -> list[str]:
    pictures = len(shared.exact) + len(shared.near)
    sentences = []
    if pictures:
        kinds = f"{len(shared.exact):,} the same, {len(shared.near):,} nearly"
        sentences.append(
            f"{counted(pictures, 'image is', 'images are')} in {shared.other} too ({kinds}): "
            "a model that is trained on one of the sets must not be measured on them in the other."
        )
    if shared.captions:
        sentences.append(
            f"{counted(shared.captions, 'distinct caption is', 'distinct captions are')} in {shared.other} too."
        )
    return sentences


def _example(captions: list[str]) -> str:
    return f", such as {captions[0]!r}" if captions else ""
