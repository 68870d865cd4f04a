"""The captions of a source: how long they are, in which scripts, which are frequent, and which say nothing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

from lexel.data.audit.copies import near_captions
from lexel.data.audit.language_mix import LanguageMix
from lexel.data.audit.scripts import script_of
from lexel.data.audit.spread import Histogram, Spread, spread, whole_histogram
from lexel.data.pairs import Pair

LISTED_VALUES = 20  # of labels, and of captions that several images share
LISTED_GROUPS = 20  # of captions that are nearly the same

_CAMERA_NAME = re.compile(
    r"(img|dsc[nf]?|dcim|pict?|image|photo|screenshot|wp|pxl|mvi)[-_ ]?\d[-_ \d]*|\d{5,}", re.IGNORECASE
)
_FILE_NAME = re.compile(r"\S+\.(jpe?g|png|webp|gif|tiff?|bmp|heic)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CaptionFacts:
    """What is said of a source's captions."""

    with_captions: int  # images
    count: int
    distinct: int
    per_image: Spread | None
    words: Spread | None
    characters: Spread | None
    words_histogram: Histogram
    scripts: dict[str, int]  # captions in each, the most frequent first
    languages: dict[str, int]  # of those in Latin letters
    shared: int  # distinct captions that are said of several images
    most_shared: list[tuple[str, int]]
    near_groups: list[list[str]]  # distinct captions of the same words; the first LISTED_GROUPS groups
    near_distinct: int  # captions in all such groups
    wordless: list[str]
    file_names: list[str]
    unprintable: list[str]


def caption_facts(pairs: Sequence[Pair]) -> CaptionFacts:
    """Read every caption."""
    images_of: Counter[str] = Counter()
    scripts: Counter[str] = Counter()
    languages = LanguageMix()
    per_image, words, characters = [], [], []
    wordless, file_names, unprintable = [], [], []
    for pair in pairs:
        if not pair.captions:
            continue
        per_image.append(len(pair.captions))
        images_of.update(set(pair.captions))
        for caption in pair.captions:
            words.append(len(caption.split()))
            characters.append(len(caption))
            scripts[script := script_of(caption)] += 1
            if script == "Latin":
                languages.add(caption)
            if not any(map(str.isalnum, caption)):
                wordless.append(caption)
            if _is_file_name(caption):
                file_names.append(caption)
            if _is_unprintable(caption):
                unprintable.append(caption)
    shared = Counter({caption: count for caption, count in images_of.items() if count > 1})
    near = near_captions(images_of)
    return CaptionFacts(
        with_captions=len(per_image),
        count=len(words),
        distinct=len(images_of),
        per_image=spread(per_image),
        words=spread(words),
        characters=spread(characters),
        words_histogram=whole_histogram(words),
        scripts=dict(scripts.most_common()),
        languages=languages.counts(),
        shared=len(shared),
        most_shared=shared.most_common(LISTED_VALUES),
        near_groups=near[:LISTED_GROUPS],
        near_distinct=sum(map(len, near)),
        wordless=wordless,
        file_names=file_names,
        unprintable=unprintable,
    )


def _is_file_name(caption: str) -> bool:
    return bool(_FILE_NAME.fullmatch(caption) or _CAMERA_NAME.fullmatch(caption))


def _is_unprintable(caption: str) -> bool:
    """Control, private, unassigned and replacement characters; joiners and marks of direction are part of writing."""
    if caption.isprintable() and "\N{REPLACEMENT CHARACTER}" not in caption:
        return False
    return any(
        (category(sign) in ("Cc", "Co", "Cs", "Cn") and not sign.isspace()) or sign == "\N{REPLACEMENT CHARACTER}"
        for sign in caption
    )
