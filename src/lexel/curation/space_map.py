"""A library's embeddings as a map: photos that are near each other in the space of the model lie near each other.

Principal components first, then t-SNE (van der Maaten & Hinton 2008), which keeps neighbours together and means nothing
by large distances. It is computed on a sample of large libraries; the other photos are put amid their nearest
neighbours of the sample. Captions may be on the map too: most models keep all texts apart from all images (the modality
gap, Liang et al. 2022), and the map shows that as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lexel.curation.groups import PhotoGroup, group_library
from lexel.errors import UsageError
from lexel.extras import missing_library
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.library.library import Library

MAX_PHOTOS = 10_000  # on a map; of more, a sample is shown
MAX_TEXTS = 600  # captions on a map
MAX_ARRANGED = 3000  # vectors that t-SNE works on
PCA_COMPONENTS = 50
PERPLEXITY = 30.0
MIN_FOR_TSNE = 12  # vectors; fewer are shown by their two main components
MIN_EXTENT = 1e-6  # of the vectors in any direction; with less they are all the same
NEIGHBOURS = 5  # of the sample, amid which the others are put
Progress = Callable[[str], None]


@dataclass(frozen=True)
class MapGroup:
    """Photos of one group, with the group's name and where it is drawn."""

    names: tuple[str, ...]
    count: int
    x: float
    y: float


@dataclass(frozen=True)
class MapText:
    """A caption on the map."""

    text: str
    x: float
    y: float
    photo: int  # the row of the photo that it belongs to


@dataclass(frozen=True)
class SpaceMap:
    """Where photos and texts lie: a row for each photo."""

    ids: np.ndarray  # (N,) int64
    names: tuple[str, ...]  # of the files
    places: np.ndarray  # (N, 2) float32, both from −1 to 1
    group_of: np.ndarray  # (N,) which of the groups
    groups: tuple[MapGroup, ...]
    texts: tuple[MapText, ...]
    gap: float | None  # the distance between the mean image and the mean text; None without texts
    left_out: int  # photos that are not on the map, because there are too many

    def to_json(self) -> dict[str, Any]:
        """As the page takes it: columns, because rows would take several times the space."""
        return {
            "ids": self.ids.tolist(),
            "names": list(self.names),
            "x": [round(float(x), 4) for x in self.places[:, 0]],
            "y": [round(float(y), 4) for y in self.places[:, 1]],
            "group": self.group_of.tolist(),
            "groups": [{"names": list(g.names), "count": g.count, "x": g.x, "y": g.y} for g in self.groups],
            "texts": [{"text": t.text, "x": t.x, "y": t.y, "photo": t.photo} for t in self.texts],
            "gap": self.gap,
            "left_out": self.left_out,
        }


def map_library(library: "Library", on_progress: Progress = lambda _: None) -> SpaceMap:
    """The map of a library's photos that are on the disk now, with their captions. The same library, the same map.

    `on_progress` is given a sentence before each part. Raises UsageError for fewer than two photos.
    """
    on_progress("Putting photos that look alike into groups, and naming these")
    groups = group_library(library)
    kept, left_out = _sampled(groups)
    ids = np.concatenate([group.ids for group in kept])
    vectors = library.vectors.vectors_of(ids)
    photos = library.records.photos(ids)
    captions = [(row, photo.caption.splitlines()[0]) for row, photo in enumerate(photos) if photo.caption]
    captions = captions[:: max(1, -(-len(captions) // MAX_TEXTS))]
    on_progress(f"Arranging {counted(len(ids), 'photo')} so that neighbours stay together")
    return draw_map(
        ids,
        [photo.name for photo in photos],
        vectors,
        [(group.names, len(group.ids)) for group in kept],
        captions,
        library.encoder.embed_texts([text for _, text in captions]) if captions else None,
        left_out,
    )


def draw_map(
    ids: np.ndarray,
    names: Sequence[str],
    vectors: np.ndarray,
    groups: Sequence[tuple[tuple[str, ...], int]],
    captions: Sequence[tuple[int, str]] = (),
    caption_vectors: np.ndarray | None = None,
    left_out: int = 0,
) -> SpaceMap:
    """The map of photos whose unit vectors are (N, D).

    They come group by group, each group with its names and its number of photos. `captions` are (row of the photo,
    text), `caption_vectors` (M, D).
    """
    together = vectors if caption_vectors is None else np.concatenate([vectors, caption_vectors])
    places = _within_frame(arrange(together))
    of_photos, of_texts = places[: len(vectors)], places[len(vectors) :]
    group_of = np.repeat(np.arange(len(groups)), [count for _, count in groups])
    gap = None
    if caption_vectors is not None:
        gap = float(np.linalg.norm(vectors.mean(axis=0) - caption_vectors.mean(axis=0)))
    return SpaceMap(
        np.asarray(ids, np.int64),
        tuple(names),
        of_photos,
        group_of,
        tuple(_named(names, of_photos[group_of == group]) for group, (names, _) in enumerate(groups)),
        tuple(
            MapText(text, round(float(x), 4), round(float(y), 4), row)
            for (row, text), (x, y) in zip(captions, of_texts, strict=True)
        ),
        gap,
        left_out,
    )


def arrange(vectors: np.ndarray) -> np.ndarray:
    """Places (N, 2) of unit vectors (N, D) on a plane, on which neighbours stay neighbours."""
    if len(vectors) <= MAX_ARRANGED:
        return _tsne(vectors)
    sample = np.sort(np.random.default_rng(0).choice(len(vectors), MAX_ARRANGED, replace=False))
    places = np.zeros((len(vectors), 2), np.float32)
    places[sample] = _tsne(vectors[sample])
    others = np.setdiff1d(np.arange(len(vectors)), sample)
    for start in range(0, len(others), MAX_ARRANGED):
        rows = others[start : start + MAX_ARRANGED]
        cosines = vectors[rows] @ vectors[sample].T
        nearest = np.argpartition(-cosines, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        # The median, and not the mean: neighbours may lie on two islands, and between these there is nothing.
        places[rows] = np.median(places[sample][nearest], axis=1)
    return places


def _tsne(vectors: np.ndarray) -> np.ndarray:
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise missing_library("A map", "sklearn", error) from None

    count = len(vectors)
    if count < 2 or np.ptp(vectors, axis=0).max() < MIN_EXTENT:
        return np.zeros((count, 2), np.float32)
    components = min(PCA_COMPONENTS, count, vectors.shape[1])
    main = PCA(components, svd_solver="full").fit_transform(vectors.astype(np.float64))
    main = np.pad(main, ((0, 0), (0, max(0, 2 - components))))
    if count < MIN_FOR_TSNE:
        return main[:, :2].astype(np.float32)
    # Begun from the main directions, so that islands that belong together lie on the same side (Kobak & Berens 2019).
    begin = (main[:, :2] / max(float(main[:, 0].std()), 1e-12) * 1e-4).astype(np.float32)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    tsne = TSNE(2, perplexity=perplexity, init=begin, random_state=0)  # pyright: ignore[reportArgumentType]
    return tsne.fit_transform(main.astype(np.float32))


def _within_frame(places: np.ndarray) -> np.ndarray:
    """Places (N, 2) moved and scaled, both directions alike, into −1..1."""
    low, high = places.min(axis=0), places.max(axis=0)
    scale = max(float((high - low).max()), 1e-12) / 2
    return ((places - (low + high) / 2) / scale).astype(np.float32)


def _named(names: tuple[str, ...], places: np.ndarray) -> MapGroup:
    """The group's name stands at the photo that is nearest to its middle: the middle itself may be empty."""
    middle = np.median(places, axis=0)
    x, y = places[np.linalg.norm(places - middle, axis=1).argmin()]
    return MapGroup(names, len(places), round(float(x), 4), round(float(y), 4))


def _sampled(groups: Sequence[PhotoGroup]) -> tuple[list[PhotoGroup], int]:
    """The groups with at most MAX_PHOTOS photos in all, an equal share of each, and how many are left out."""
    total = sum(len(group.ids) for group in groups)
    if total < 2:
        raise UsageError("A map needs at least two photos that are on the disk.")
    if total <= MAX_PHOTOS:
        return list(groups), 0
    every = total / MAX_PHOTOS
    kept = [
        PhotoGroup(group.names, group.ids[np.arange(0, len(group.ids), every).astype(np.int64)]) for group in groups
    ]
    return kept, total - sum(len(group.ids) for group in kept)
