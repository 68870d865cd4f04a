"""All of the server as one ASGI application, for uvicorn and for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema
from starlette.middleware.cors import CORSMiddleware

from lexel.server.http.access import Access
from lexel.server.http.admission import Admission
from lexel.server.http.pages import PageHeaders
from lexel.server.http.problems import Problem, install_problems
from lexel.server.http.request_log import LogStyle, RequestLog
from lexel.server.page.routes import page_router
from lexel.server.routes.embeddings import embeddings_routes
from lexel.server.routes.judging import judging_routes
from lexel.server.routes.library import library_routes
from lexel.server.routes.models import model_routes
from lexel.server.routes.page import install_page
from lexel.server.routes.photos import photo_routes
from lexel.server.routes.search import search_routes
from lexel.server.routes.status import status_routes
from lexel.server.schemas.embeddings import EmbeddingsRequest
from lexel.server.schemas.judging import ClassifyRequest, RankRequest, SimilarityRequest
from lexel.server.schemas.searching import SearchRequest
from lexel.server.service import Service
from lexel.server.settings import ServerSettings
from lexel.version import __version__

ROUTES = (
    embeddings_routes, judging_routes, search_routes, photo_routes, library_routes, model_routes, status_routes,
    page_router,
)  # fmt: skip
BODIES = (EmbeddingsRequest, ClassifyRequest, RankRequest, SimilarityRequest, SearchRequest, Problem)


def create_app(service: Service, settings: ServerSettings | None = None, log: LogStyle = "off") -> FastAPI:
    """The application that serves a model or a library; it opens the service when it starts, and closes it at its end.

    Example: `uvicorn.run(create_app(Service.open("photos.lexel")))`
    """
    settings = settings or service.settings

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await service.start()
        yield {"drain": service.drain}
        await service.close()

    app = FastAPI(
        title="Lexel",
        version=__version__,
        summary="Embed, classify, rank and search with a CLIP model.",
        lifespan=life,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    install_problems(app)
    for routes in ROUTES:
        app.include_router(routes(service))
    install_page(app)
    _describe_bodies(app)
    # From the inside out.
    app.add_middleware(Admission, settings=settings, metrics=service.metrics)
    app.add_middleware(Access, settings=settings, metrics=service.metrics)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(PageHeaders)
    app.add_middleware(RequestLog, metrics=service.metrics, style=log)
    return app


def _describe_bodies(app: FastAPI) -> None:
    """Add the request bodies that routes parse themselves to the OpenAPI description."""
    plain = app.openapi

    def with_bodies() -> dict[str, Any]:
        if app.openapi_schema is None:
            template = "#/components/schemas/{model}"
            _, found = models_json_schema([(body, "validation") for body in BODIES], ref_template=template)
            described = plain()
            schemas = described.setdefault("components", {}).setdefault("schemas", {})
            schemas |= {name: schema for name, schema in found["$defs"].items() if name not in schemas}
        return app.openapi_schema or {}

    app.openapi = with_bodies
