"""A library in groups of photos that look alike: spherical k-means over its vectors, and names for the groups.

By default the number of groups is chosen: that with the highest Bayesian information criterion (Pelleg & Moore 2000,
X-means) of round Gaussians. Dimensions are counted as the vectors effectively fill them (the participation ratio of
their variances): embeddings fill few of theirs, and the penalty must not count the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lexel.curation.group_names import name_groups
from lexel.curation.present import blocks_among, present_ids
from lexel.errors import UsageError
from lexel.library.index.codes import load_faiss
from lexel.library.index.vectors import Vectors
from lexel.library.pages.picture_page import PictureSection, photo_cell, write_page
from lexel.library.search.model_check import say_if_model_tells_nothing
from lexel.terminal import counted
from lexel.unit_vectors import unit

if TYPE_CHECKING:
    from lexel.library.library import Library

GROUP_COUNTS = (2, 3, 4, 6, 8, 11, 16, 24, 32, 48, 64, 96)  # that are tried
MIN_PHOTOS_PER_GROUP = 10  # photos in a group on average, for a count to be tried
SAMPLED_PHOTOS = 50_000  # photos that the groups are found on; all are then put into them
KMEANS_ROUNDS, KMEANS_STARTS = 20, 3
PHOTOS_PER_GROUP_ON_PAGE = 12  # photos of a group on the page


@dataclass(frozen=True, slots=True)
class PhotoGroup:
    """Photos that look alike."""

    names: tuple[str, ...]  # the best first
    ids: np.ndarray  # (n,) int64, the most typical first


def group_library(
    library: "Library", count: int | None = None, phrases: Sequence[str] | None = None
) -> list[PhotoGroup]:
    """Every photo that is on the disk now in one of `count` groups, the largest first.

    The same library gives the same groups. Names come from `phrases`, or from the photos' own captions and tags and a
    small vocabulary. Raises UsageError when there are fewer photos than groups.

    Example: `{group.names[0]: len(group.ids) for group in group_library(library, 8)}`
    """
    present = present_ids(library)
    if len(present) < 2 or (count is not None and not 1 <= count <= len(present)):
        raise UsageError(
            f"{library.path} has {len(present):,} photos on the disk: they cannot be put into {count or 2} groups."
        )
    say_if_model_tells_nothing(library)
    sample = _sample(library.vectors, present)
    centres = _best(sample) if count is None else find_centres(sample, count)
    ids, nearest, cosines = _assign(library.vectors, present, centres)
    members = [_typical_first(ids, cosines, nearest == group) for group in range(len(centres))]
    members = sorted((found for found in members if len(found)), key=lambda found: (-len(found), found[0]))
    return [
        PhotoGroup(names, found) for names, found in zip(name_groups(library, members, phrases), members, strict=True)
    ]


def write_groups(path: Path, groups: Sequence[PhotoGroup], library: "Library") -> None:
    """The groups as a page, each with its most typical photos. Raises OSError."""
    sections = []
    for group in groups:
        photos = library.records.photos(group.ids[:PHOTOS_PER_GROUP_ON_PAGE])
        cells = [photo_cell(photo, library.records.thumbnail(photo.id)) for photo in photos]
        also = f"; also {', '.join(group.names[1:])}" if group.names[1:] else ""
        sections.append(PictureSection(group.names[0], f"{counted(len(group.ids), 'photo')}{also}", cells))
    total = sum(len(group.ids) for group in groups)
    write_page(
        path,
        "Groups",
        f"{counted(total, 'photo')} in {counted(len(groups), 'group')}, the most typical of each.",
        sections,
    )


def find_centres(vectors: np.ndarray, count: int) -> np.ndarray:
    """(count, D) float32 unit centres of the unit vectors (N, D), by spherical k-means."""
    faiss = load_faiss()
    means = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=KMEANS_ROUNDS,
        nredo=KMEANS_STARTS,
        seed=1,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(vectors),
    )
    means.train(np.ascontiguousarray(vectors, np.float32))
    return unit(means.centroids)


def information(vectors: np.ndarray, centres: np.ndarray) -> float:
    """The Bayesian information criterion of these groups, higher is better, in nats."""
    photos, count = len(vectors), len(centres)
    cosines = vectors @ centres.T
    sizes = np.bincount(cosines.argmax(axis=1), minlength=count)
    dimensions = effective_dimensions(vectors)
    squares = float((2 - 2 * cosines.max(axis=1)).sum())
    variance = max(squares / (dimensions * max(1, photos - count)), 1e-12)
    likelihood = float((sizes * np.log(np.maximum(sizes, 1) / photos)).sum())
    likelihood -= photos * dimensions / 2 * np.log(2 * np.pi * variance) + dimensions * (photos - count) / 2
    return likelihood - count * (dimensions + 1) / 2 * np.log(photos)


def effective_dimensions(vectors: np.ndarray) -> float:
    """The participation ratio of the variances: D where all directions vary alike, 1 where one does."""
    variances = np.linalg.eigvalsh(np.cov(vectors.T))
    return float(max(1.0, variances.sum() ** 2 / max(float((variances**2).sum()), 1e-12)))


def _best(sample: np.ndarray) -> np.ndarray:
    counts = [count for count in GROUP_COUNTS if MIN_PHOTOS_PER_GROUP * count <= len(sample)] or [min(2, len(sample))]
    tried = [find_centres(sample, count) for count in counts]
    return max(tried, key=lambda centres: information(sample, centres))


def _sample(vectors: Vectors, ids: np.ndarray) -> np.ndarray:
    if len(ids) > SAMPLED_PHOTOS:
        ids = np.sort(np.random.default_rng(0).choice(ids, SAMPLED_PHOTOS, replace=False))
    return vectors.vectors_of(ids)


def _assign(vectors: Vectors, among: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the photos `among` (N,): ids (N,), the nearest centre of each (N,), and the cosine with it (N,)."""
    parts = []
    for ids, block in blocks_among(vectors, among):
        cosines = block @ centres.T
        parts.append((ids, cosines.argmax(axis=1), cosines.max(axis=1)))
    ids, nearest, cosines = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ids, nearest, cosines


def _typical_first(ids: np.ndarray, cosines: np.ndarray, inside: np.ndarray) -> np.ndarray:
    return ids[inside][np.argsort(-cosines[inside], kind="stable")]
