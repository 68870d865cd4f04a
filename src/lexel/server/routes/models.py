"""`/v1/models`: what is served, in the shape of OpenAI's API."""

from fastapi import APIRouter

from lexel.server.http.bodies import PROBLEMS
from lexel.server.routes.embeddings import check_model
from lexel.server.schemas.embeddings import ModelItem, ModelList
from lexel.server.service import Service


def model_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["models"], responses=PROBLEMS)

    @router.get("/v1/models", summary="What is served")
    async def models() -> ModelList:
        """The models that are served."""
        return ModelList(data=[_item(service)])

    @router.get("/v1/models/{name:path}", summary="One model")
    async def model(name: str) -> ModelItem:
        """One model that is served."""
        check_model(service, name)
        return _item(service)

    return router


def _item(service: Service) -> ModelItem:
    encoder = service.encoder
    return ModelItem(
        id=encoder.name,
        fingerprint=encoder.fingerprint,
        dimensions=encoder.dimensions,
        number_format=encoder.runtime.number_format,
        image_size=encoder.preprocessing.image_size,
        context_length=encoder.tokenizer.context_length,
        logit_scale=encoder.logit_scale,
        logit_bias=encoder.logit_bias,
        is_calibrated=encoder.calibration is not None,
    )
