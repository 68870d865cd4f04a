"""`/v1/photos/{id}`: what the library knows of a photo, its thumbnail, and the picture itself.

Only files that the library has indexed are given out, and only while they are as they were then: another file that has
taken the place of one is not.
"""

import io
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from PIL import Image
from starlette.responses import FileResponse, Response

from lexel.errors import BadImageError
from lexel.images import decode, open_header, read_file, to_rgb
from lexel.library.disk.present import why_absent
from lexel.library.store.records import Photo
from lexel.server.batching.decoding import check_pixels
from lexel.server.http.bodies import PROBLEMS
from lexel.server.http.problems import ProblemError
from lexel.server.routes.shown_photos import find_photo, library_of, photo_facts
from lexel.server.schemas.searching import Number, PhotoAnswer
from lexel.server.service import Service

JPEG_QUALITY = 88
IMMUTABLE = {"Cache-Control": "private, max-age=3600"}
# What a browser shows as a picture and nothing else: an SVG, say, is a program.
SHOWN_FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
_CONTENT = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in SHOWN_FORMATS.values()}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": _CONTENT, "description": "A picture"}}


def photo_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["library"], responses=PROBLEMS)

    @router.get("/v1/photos/{id}", summary="What is known of a photo")
    async def photo(id: Number) -> PhotoAnswer:
        """The facts of a photo."""
        library = library_of(service)

        def look_up() -> PhotoAnswer:
            found = find_photo(library, id)
            return PhotoAnswer(
                **photo_facts(found, library.folders),
                size=found.size,
                camera=found.camera,
                latitude=found.latitude,
                longitude=found.longitude,
                keywords=list(found.keywords),
                description=found.description,
                is_there=library.is_there(found),
            )

        return await service.in_library(look_up)

    @router.get("/v1/photos/{id}/thumbnail", response_class=Response, responses=PICTURE, summary="Its thumbnail")
    async def thumbnail(id: Number) -> Response:
        """A JPEG of at most 256 pixels a side, also of a photo whose file is away."""
        library = library_of(service)

        def read() -> bytes:
            find_photo(library, id)
            return library.records.thumbnail(id)

        return Response(await service.in_library(read), headers=IMMUTABLE, media_type="image/jpeg")

    @router.get("/v1/photos/{id}/image", response_class=Response, responses=PICTURE, summary="The picture itself")
    async def image(
        id: Number, side: Annotated[int | None, Query(ge=16, le=8192, description="at most so many pixels")] = None
    ) -> Response:
        """The file as it is or, with `side` and for formats that browsers do not show, as a JPEG."""
        library = library_of(service)
        found = await service.in_library(lambda: _present(find_photo(library, id)))
        kind = None if side else await service.in_library(lambda: _media_type(found))
        if kind is not None:
            return FileResponse(found.path, media_type=kind, headers=IMMUTABLE)
        content = await service.in_library(lambda: _as_jpeg(found, side, service.settings.max_pixels))
        return Response(content, headers=IMMUTABLE, media_type="image/jpeg")

    return router


def _present(photo: Photo) -> Photo:
    reason = why_absent(photo)
    if reason is not None:
        said = {"gone": "is not there now", "changed": "has changed since it was indexed"}
        detail = f"The file of photo {photo.id} {said.get(reason, 'cannot be read')}."
        raise ProblemError(404, f"file-{reason}", detail)
    return photo


def _media_type(photo: Photo) -> str | None:
    """What the file is, by its content; None for what a browser may not show."""
    try:
        with open(photo.path, "rb") as file, open_header(file) as image:
            return SHOWN_FORMATS.get(image.format or "")
    except Exception:  # any: see `images.open_header`
        return None


def _as_jpeg(photo: Photo, side: int | None, max_pixels: int) -> bytes:
    try:
        content = read_file_of(photo)
        check_pixels(content, max_pixels)
        picture = to_rgb(decode(content, side))
    except BadImageError as error:
        detail = f"The file of photo {photo.id} cannot be read: {error}"
        raise ProblemError(404, "file-unreadable", detail) from None
    if side is not None and max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=3)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=JPEG_QUALITY)
    return written.getvalue()


def read_file_of(photo: Photo) -> bytes:
    """The content of its file. Raises BadImageError, which does not name the path."""
    try:
        return read_file(Path(photo.path))
    except BadImageError:
        raise BadImageError("it is gone, or its disk fails") from None
