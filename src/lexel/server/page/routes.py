"""The routes below `/page`. Whatever may block works on a thread of the service."""

from typing import Any

from fastapi import APIRouter, Response

from lexel.evaluation.texts.templates import families
from lexel.server.drawing.routes import drawing_router
from lexel.server.page.growth import growth_of
from lexel.server.page.maps import MapMaker, library_maps, scene_maps
from lexel.server.page.samples import LibrarySamples, SceneSamples
from lexel.server.page.seen import Seen
from lexel.server.service import Service


def page_router(service: Service) -> APIRouter:
    """Everything below `/page`, for the model and perhaps the library of `service`."""
    router = APIRouter(prefix="/page", include_in_schema=False)
    scenes = SceneSamples(service.encoder)
    made: dict[str, Any] = {}  # of the library, which is opened after the routes are made

    def maps() -> MapMaker:
        if "maps" not in made:
            library = service.library
            made["maps"] = library_maps(library) if library is not None else scene_maps(service.encoder, scenes)
        return made["maps"]

    @router.get("/facts")
    async def facts() -> dict[str, Any]:
        encoder, library = service.encoder, service.library
        photos = await service.in_library(lambda: library.records.count) if library is not None else None
        growth = await service.in_library(lambda: growth_of(encoder))
        return {
            "model": {
                "name": encoder.name,
                "fingerprint": encoder.fingerprint,
                "dimensions": await service.in_library(lambda: encoder.dimensions),
                "is_calibrated": encoder.calibration is not None,
                "is_sigmoid": encoder.logit_bias is not None,
            },
            "library": None if library is None else {"name": library.path.name, "photos": photos},
            "templates": {name: list(templates) for name, templates in families().items()},
            "has_growth": growth is not None,
        }

    @router.get("/samples")
    async def samples() -> dict[str, Any]:
        def described() -> dict[str, Any]:
            library = service.library
            shown = LibrarySamples(library) if library is not None and library.records.count else scenes
            return shown.describe()

        return await service.in_library(described)

    @router.get("/scenes/{number}")
    async def scene(number: int) -> Response:
        return Response(await service.in_library(lambda: scenes.png(number)), media_type="image/png")

    @router.get("/photos/{id}/seen")
    async def seen(id: int) -> dict[str, Any]:
        library = service.library
        if library is None:
            return {"labels": [], "captions": []}
        looking = made.setdefault("seen", Seen(library))
        return await service.in_library(lambda: looking.of(id))

    @router.get("/map")
    async def space_map() -> dict[str, Any]:
        return await service.in_library(maps().state)

    @router.get("/map/sheets/{number}")
    async def sheet(number: int) -> Response:
        content = await service.in_library(lambda: maps().sheet(number))
        return Response(status_code=404) if content is None else Response(content, media_type="image/jpeg")

    @router.get("/growth")
    async def growth() -> Any:
        found = await service.in_library(lambda: growth_of(service.encoder))
        return Response(status_code=404) if found is None else found

    router.include_router(drawing_router(service))
    return router
