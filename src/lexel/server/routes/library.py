"""`/v1/library`: what is in it, adding pictures by upload, removing photos.

Uploads are kept in a folder of the library's own, under a name made of what was given and of their content: the same
picture again is the same file, and no name leads anywhere else.
"""

import hashlib
import re
from pathlib import Path, PurePosixPath

from fastapi import APIRouter, Request

from lexel.errors import BadImageError
from lexel.files import make_folder, write_atomically
from lexel.images import describe
from lexel.library.store.database.paths import is_below
from lexel.server.batching.decoding import check_pixels
from lexel.server.http.bodies import FORM, PROBLEMS, read_uploads
from lexel.server.http.problems import ProblemError
from lexel.server.routes.limits import check_images
from lexel.server.routes.shown_photos import find_photo, library_of
from lexel.server.schemas.library import CameraCount, LibraryAnswer, RemovalAnswer, UploadAnswer, UploadedPhoto
from lexel.server.schemas.searching import Number
from lexel.server.service import ServedLibrary, Service

UPLOADS = "uploads"  # below the library's folder
MAX_STEM = 60  # characters of the given name that are kept
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
SUFFIXES = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif", "AVIF": ".avif",
    "JPEG2000": ".jp2", "HEIF": ".heic",
}  # fmt: skip
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"images": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    "required": ["images"],
                }
            }
        },
    }
}


def library_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["library"], responses=PROBLEMS)

    @router.get("/v1/library", summary="The library in numbers")
    async def stats() -> LibraryAnswer:
        """How many photos of what kind, and which model they are searched with."""
        library = library_of(service)

        def count() -> LibraryAnswer:
            found = library.stats()
            named = {name: getattr(found, name) for name in LibraryAnswer.model_fields if hasattr(found, name)}
            named |= {
                "cameras": [CameraCount(camera=camera, photos=photos) for camera, photos in found.cameras],
                "model": service.encoder.name,
            }
            return LibraryAnswer(**named, read_only=service.settings.read_only)

        return await service.in_library(count)

    @router.post("/v1/library", openapi_extra=_FORM, summary="Add pictures")
    async def add(request: Request) -> UploadAnswer:
        """Add uploaded pictures; they are kept in a folder of the library's own."""
        library = _changeable(service)
        uploads = await read_uploads(request, service.settings)
        if not uploads:
            raise ProblemError(422, "no-input", "There is no file in the form.")
        check_images([content for _, content in uploads], service.settings)
        return await service.change_library(lambda: _add(library, uploads, service.settings.max_pixels))

    @router.delete("/v1/library/{id}", summary="Remove a photo")
    async def remove(id: Number) -> RemovalAnswer:
        """Forget a photo. Its file is deleted only if it was uploaded here."""
        library = _changeable(service)
        return await service.change_library(lambda: _remove(library, id))

    return router


def _changeable(service: Service) -> ServedLibrary:
    library = library_of(service)
    if service.settings.read_only:
        raise ProblemError(403, "read-only", "This library is served to be searched, not to be changed.")
    return library


def _add(library: ServedLibrary, uploads: list[tuple[str, bytes]], max_pixels: int) -> UploadAnswer:
    folder = library.path / UPLOADS
    paths: list[Path | None] = []
    photos: list[UploadedPhoto] = []
    for name, content in uploads:
        shown = PurePosixPath(name.replace("\\", "/")).name[:200]
        try:
            check_pixels(content, max_pixels)
            path = folder / _file_name(shown, content)
        except BadImageError as error:
            paths.append(None)
            photos.append(UploadedPhoto(name=shown, id=None, error=str(error)))
            continue
        make_folder(folder)
        if not path.exists():
            write_atomically(path, content)
        paths.append(path)
        photos.append(UploadedPhoto(name=shown, id=None))
    given = [path for path in dict.fromkeys(paths) if path is not None]
    added = library.add(given) if given else None
    reasons = dict(added.unreadable) if added else {}
    for photo, path in zip(photos, paths, strict=True):
        if path is None:
            continue
        ids = library.records.ids_of(str(path))
        photo.id = ids[0] if ids else None
        if photo.id is None:
            photo.error = reasons.get(str(path), "it could not be read").removeprefix(f"{path}: ")
            path.unlink(missing_ok=True)
    return UploadAnswer(photos=photos, added=added.new if added else 0)


def _remove(library: ServedLibrary, id: int) -> RemovalAnswer:
    photo = find_photo(library, id)
    library.remove([id])
    is_own = is_below(photo.path, str(library.path / UPLOADS))
    if is_own:
        Path(photo.path).unlink(missing_ok=True)
    return RemovalAnswer(removed=id, file_deleted=is_own)


def _file_name(given: str, content: bytes) -> str:
    """A safe file name made of the given name and a hash of the content. Raises BadImageError for other files."""
    try:
        kind, _ = describe(content)
    except Exception:  # any: see `images.open_header`
        raise BadImageError("not an image of a known format") from None
    if kind not in SUFFIXES:
        raise BadImageError(f"{kind} is not taken; JPEG, PNG, WebP and others are")
    stem = UNSAFE.sub("-", PurePosixPath(given).stem).strip(".-")[:MAX_STEM] or "picture"
    digest = hashlib.blake2b(content, digest_size=6).hexdigest()
    return f"{stem}-{digest}{SUFFIXES[kind]}"
