"""`/v1/embeddings`: texts and pictures as vectors, in the shape of OpenAI's API."""

import asyncio
import base64
from collections.abc import Sequence
from functools import partial

import numpy as np
from fastapi import APIRouter, Request
from pydantic_core import to_json
from starlette.responses import Response

from lexel.encoder import Encoder
from lexel.server.http.bodies import FORM, PROBLEMS, described, read_body
from lexel.server.http.problems import ProblemError
from lexel.server.routes.limits import check_images, check_lengths
from lexel.server.schemas.embeddings import (
    EmbeddingsAnswer,
    EmbeddingsForm,
    EmbeddingsRequest,
    ImageInput,
    TextInput,
)
from lexel.server.service import Service
from lexel.unit_vectors import unit

INLINE_NUMBERS = 1 << 15  # of an answer that is written on the event loop


def embeddings_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["embeddings"])

    @router.post(
        "/v1/embeddings",
        response_model=EmbeddingsAnswer,
        responses=PROBLEMS,
        openapi_extra=described(EmbeddingsRequest, EmbeddingsForm),
        summary="Embed texts and pictures",
    )
    async def embeddings(request: Request) -> Response:
        """Vectors of unit length in the order of the inputs: their products are cosines.

        Pictures come as `{"image": "data:image/jpeg;base64,…"}`, or as files of a form in the field `images`.
        """
        if request.headers.get("content-type", "").lower().startswith(FORM):
            asked = await read_body(request, EmbeddingsForm, service.settings)
            inputs: list[str | bytes] = list(asked.images)
        else:
            asked = await read_body(request, EmbeddingsRequest, service.settings)
            inputs = _listed(asked)
        check_model(service, asked.model)
        _check_dimensions(service, asked.dimensions)
        vectors = await _embed(service, inputs)
        if asked.dimensions is not None:
            vectors = unit(vectors[:, : asked.dimensions])
        write = partial(_answer, service.encoder, inputs, vectors, asked.encoding_format == "base64")
        if vectors.size <= INLINE_NUMBERS:
            return Response(write(), media_type="application/json")
        content = await asyncio.get_running_loop().run_in_executor(None, write)
        return Response(content, media_type="application/json")

    return router


def check_model(service: Service, name: str | None) -> None:
    """Raise ProblemError for a model that is not served."""
    if name is not None and name != service.encoder.name:
        detail = f'There is no model "{name[:100]}" here. This server has: {service.encoder.name}'
        raise ProblemError(404, "unknown-model", detail)


def _check_dimensions(service: Service, dimensions: int | None) -> None:
    if dimensions is not None and dimensions > service.encoder.dimensions:
        detail = f"The model's vectors have {service.encoder.dimensions} dimensions, not {dimensions}."
        raise ProblemError(422, "too-many-dimensions", detail)


def _listed(asked: EmbeddingsRequest) -> list[str | bytes]:
    if isinstance(asked.input, str):
        return [asked.input]
    return [_content(one) for one in asked.input]


def _content(one: str | TextInput | ImageInput) -> str | bytes:
    match one:
        case TextInput():
            return one.text
        case ImageInput():
            return one.image
        case _:
            return one


async def _embed(service: Service, inputs: Sequence[str | bytes]) -> np.ndarray:
    """(N, D) in the order of the inputs; texts and pictures at the same time."""
    texts = [text for text in inputs if isinstance(text, str)]
    images = [image for image in inputs if isinstance(image, bytes)]
    if not inputs:
        raise ProblemError(422, "no-input", "There is nothing to embed: input is empty.")
    check_lengths(texts, service.settings)
    check_images(images, service.settings)
    if not images:
        return await service.embedder.texts(texts)
    if not texts:
        return await service.embedder.images(images)
    of_texts, of_images = await service.embedder.both(texts, images)
    vectors = np.empty((len(inputs), of_texts.shape[1]), np.float32)
    is_text = np.array([isinstance(one, str) for one in inputs])
    vectors[is_text], vectors[~is_text] = of_texts, of_images
    return vectors


def _answer(encoder: Encoder, inputs: Sequence[str | bytes], vectors: np.ndarray, in_base64: bool) -> bytes:
    """The answer as JSON; pydantic would take longer to write the numbers than the towers to compute them."""
    texts = [text for text in inputs if isinstance(text, str)]
    tokens = sum(map(len, encoder.tokenizer.encode(texts))) if texts else 0
    if in_base64:
        rows = [base64.b64encode(row.tobytes()).decode() for row in np.ascontiguousarray(vectors, "<f4")]
    else:
        rows = vectors.tolist()
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return to_json({"object": "list", "data": data, "model": encoder.name, "usage": usage})
