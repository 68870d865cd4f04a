"""Health, readiness and numbers: for load balancers, containers and Prometheus."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lexel.server.schemas.library import Health
from lexel.server.service import Service


def status_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["status"])

    @router.get("/health", summary="Whether the process lives")
    async def health() -> Health:
        """Always 200: the process answers."""
        return Health(status="ok")

    @router.get(
        "/ready",
        response_model=Health,
        responses={503: {"model": Health, "description": "Not now: it starts, or it ends"}},
        summary="Whether it may be asked",
    )
    async def ready() -> Response:
        """503 while it starts and while it ends: a load balancer sends nothing then."""
        if service.is_ready and not service.is_draining:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "ending" if service.is_draining else "starting"}, 503)

    @router.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format"}},
        summary="Numbers for Prometheus",
    )
    async def metrics() -> Response:
        """Requests, inputs, batches, waiting times."""
        return Response(service.metrics.page(), media_type=CONTENT_TYPE_LATEST)

    return router
