"""A library's photos as they appear in answers, without absolute paths."""

from collections.abc import Sequence
from typing import Any

from lexel.errors import UsageError
from lexel.library.search.query import Hit
from lexel.library.store.database.paths import is_below, readable, with_slash
from lexel.library.store.records import Photo
from lexel.server.http.problems import ProblemError
from lexel.server.schemas.searching import SearchHit
from lexel.server.service import ServedLibrary, Service


def library_of(service: Service) -> ServedLibrary:
    """The library that is served. Raises ProblemError where there is none."""
    if service.library is None:
        raise ProblemError(
            404, "no-library", "This server has only a model, no library. To serve one: lexel serve photos.lexel"
        )
    return service.library


def find_photo(library: ServedLibrary, id: int) -> Photo:
    """One photo. Raises ProblemError where there is none of that number."""
    try:
        return library.records.photo(id)
    except UsageError:
        raise ProblemError(404, "no-photo", f"The library has no photo {id}.") from None


def photo_facts(photo: Photo, folders: Sequence[str]) -> dict[str, Any]:
    """The fields of `PhotoSummary`."""
    return {
        "id": photo.id,
        "path": short_path(photo.path, folders),
        "caption": photo.caption,
        "tags": list(photo.tags),
        "width": photo.width,
        "height": photo.height,
        "taken": photo.taken,
        "thumbnail": f"/v1/photos/{photo.id}/thumbnail",
        "image": f"/v1/photos/{photo.id}/image",
    }


def as_hits(hits: Sequence[Hit], folders: Sequence[str]) -> list[SearchHit]:
    """Hits as they are answered."""
    return [
        SearchHit(
            **photo_facts(hit.photo, folders),
            score=hit.score,
            match=hit.match,
            strength=hit.strength,
            is_there=hit.is_there,
        )
        for hit in hits
    ]


def short_path(path: str, folders: Sequence[str]) -> str:
    """The path below the folder that was added, or the name alone."""
    above = next((folder for folder in folders if is_below(path, folder) and path != folder), None)
    return readable(path.rpartition("/")[2] if above is None else path[len(with_slash(above)) :])
