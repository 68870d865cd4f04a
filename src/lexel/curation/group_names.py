"""Names for groups of photos: phrases that fit a group better than they fit the others.

Two things speak for a phrase: that the model puts it nearer to the middle of this group than to those of the others,
and, where photos have captions or tags, that these say it more often here than elsewhere.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lexel.errors import UsageError
from lexel.library.store.records import Photo

if TYPE_CHECKING:
    from lexel.library.library import Library

NAMES_PER_GROUP = 3  # for each group
PHOTOS_READ_PER_GROUP = 500  # photos of each group whose words are read, and whose vectors make its middle
MAX_OWN_PHRASES = 1500  # phrases from the photos' own words, at most
LONG_WORD = re.compile(r"[^\W\d_]{3,}")
# Words that say nothing of what is seen.
STOP_WORDS = frozenset(
    """
    the and are with his her its their that this there some from for near into onto over under while who which
    has have had was were being been very many several lot lots two three four five one other another each both
    all also next front side around between along through behind beside above below off out down top back left
    right upper lower part parts piece pieces image picture photo looks look seen arranged  neatly here located
    present covered surrounded wearing stopped free old young area scattered
    """.split()  # noqa: SIM905 - a list of them would fill a screen
)
VOCABULARY = (
    "people", "a portrait", "a selfie", "children", "a baby", "a wedding", "a party", "a concert", "a crowd",
    "sport", "football", "swimming", "cycling", "running", "climbing", "skiing", "dogs", "cats", "birds", "horses",
    "fish", "insects", "wild animals", "farm animals", "flowers", "trees", "a forest", "a garden", "mountains",
    "a beach", "the sea", "a lake", "a river", "a desert", "snow", "fields", "the sky", "clouds", "a sunset",
    "night", "stars", "rain", "a street", "a city", "a skyline", "a village", "a bridge", "a church", "a castle",
    "a house", "a kitchen", "a living room", "a bedroom", "an office", "a shop", "a restaurant", "a museum",
    "food", "fruit", "vegetables", "cake", "drinks", "coffee", "cars", "bicycles", "motorcycles", "trains",
    "aeroplanes", "boats", "ships", "a harbour", "an airport", "a car park", "a motorway", "sports fields",
    "a stadium", "factories", "farmland", "aerial views", "maps", "screenshots", "documents", "handwriting",
    "diagrams", "charts", "drawings", "paintings", "cartoons", "logos", "icons", "signs", "books", "clothes",
    "shoes", "bags", "jewellery", "toys", "tools", "furniture", "musical instruments", "computers", "phones",
    "statues", "fireworks", "black and white photographs", "patterns", "textures",
)  # fmt: skip


def name_groups(
    library: "Library", groups: Sequence[np.ndarray], phrases: Sequence[str] | None = None
) -> list[tuple[str, ...]]:
    """Up to NAMES_PER_GROUP phrases for each group of ids (n,), the most typical first.

    No two groups share their first name. Where there are fewer phrases than groups, the others are called "more of" the
    best that fits.
    """
    if phrases is not None and not phrases:
        raise UsageError("There are no phrases to name groups by.")
    described = [ids[:PHOTOS_READ_PER_GROUP] for ids in groups]
    own: Counter[str] = Counter()
    said: list[Counter[str]] = []
    if phrases is None:
        said = [_said(library.records.photos(ids)) for ids in described]
        for counts in said:
            own.update(counts)
    ranked = sorted(own.items(), key=lambda item: (-item[1], item[0]))
    kept = [phrase for phrase, count in ranked[:MAX_OWN_PHRASES] if count > 1]
    candidates: list[str] = list(dict.fromkeys([*kept, *VOCABULARY] if phrases is None else phrases))
    fit = _fit(library, described, candidates)
    if kept:
        fit = fit + _evidence(said, [len(ids) for ids in described], candidates)
    return _chosen(fit, candidates)


def _fit(library: "Library", groups: Sequence[np.ndarray], phrases: Sequence[str]) -> np.ndarray:
    """(G, P) how much nearer each phrase is to each group than to all of them on average, in standard deviations."""
    middles = np.stack([library.vectors.vectors_of(ids).mean(axis=0) for ids in groups])
    cosines = middles @ library.encoder.embed_texts(phrases).T
    return _scaled(cosines - cosines.mean(axis=0))


def _evidence(said: Sequence[Counter[str]], sizes: Sequence[int], phrases: Sequence[str]) -> np.ndarray:
    """(G, P) how much more often the photos' words say a phrase in a group than elsewhere, weighed by how often."""
    counts = np.array([[group[phrase] for phrase in phrases] for group in said], np.float64)
    share = counts / np.array(sizes)[:, None]
    everywhere = counts.sum(axis=0) / sum(sizes)
    more = np.log((share + 0.01) / (everywhere + 0.01))
    return 2 * _scaled(share * np.maximum(more, 0))


def _scaled(values: np.ndarray) -> np.ndarray:
    return values / max(float(values.std()), 1e-9)


def _chosen(fit: np.ndarray, phrases: list[str]) -> list[tuple[str, ...]]:
    names: dict[int, list[str]] = defaultdict(list)
    taken: set[int] = set()
    for cell in np.argsort(-fit, axis=None, kind="stable").tolist():
        group, phrase = divmod(cell, len(phrases))
        if group not in names and phrase not in taken:
            names[group].append(phrases[phrase])
            taken.add(phrase)
    for group, row in enumerate(fit):
        order = np.argsort(-row, kind="stable").tolist()
        if not names[group]:
            names[group].append(f"more of {phrases[order[0]]}")
        for phrase in order:
            if len(names[group]) == NAMES_PER_GROUP or row[phrase] <= 0:
                break
            if phrase not in taken and not _shares_a_word(phrases[phrase], names[group]):
                names[group].append(phrases[phrase])
    return [tuple(names[group]) for group in range(len(fit))]


def _shares_a_word(phrase: str, others: Iterable[str]) -> bool:
    stems = {_stem(word) for other in others for word in other.lower().split()} - {"a", "an", "the"}
    return any(_stem(word) in stems for word in phrase.lower().split())


def _stem(word: str) -> str:
    return word.removesuffix("s").removesuffix("e")


def _said(photos: Sequence[Photo]) -> Counter[str]:
    """How many of the photos are said to show each tag, word or pair of words."""
    counts: Counter[str] = Counter()
    for photo in photos:
        counts.update({tag.lower() for tag in photo.tags} | _phrases(photo.caption or ""))
    return counts


def _phrases(caption: str) -> set[str]:
    found = set()
    for line in caption.lower().splitlines():
        words = LONG_WORD.findall(line)
        found.update(word for word in words if word not in STOP_WORDS)
        neighbours = re.findall(r"(?=\b([^\W\d_]{3,} [^\W\d_]{3,})\b)", line)
        found.update(pair for pair in neighbours if not STOP_WORDS.intersection(pair.split()))
    return found
