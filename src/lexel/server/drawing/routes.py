"""The routes of the drawing game, below `/page/drawing`. The page keeps the ranking, not the server."""

from dataclasses import asdict
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from lexel.images import decode
from lexel.server.batching.decoding import check_pixels
from lexel.server.drawing.judge import DrawingJudge, Verdict
from lexel.server.drawing.prompts import prompts_for
from lexel.server.http.bodies import ImageData, read_body
from lexel.server.schemas.embeddings import StrictBody
from lexel.server.service import Service

SIDE = 512  # pixels that a drawing is decoded to at least


class DrawingBody(StrictBody):
    """A drawing to be judged."""

    prompt: Annotated[str, Field(max_length=200)]
    image: ImageData


def drawing_router(service: Service) -> APIRouter:
    """The game, judged by the model of `service`; the judge is made when the game is first opened."""
    router = APIRouter(prefix="/drawing")
    made: list[DrawingJudge] = []
    busy = Lock()

    def judge() -> DrawingJudge:
        with busy:
            if not made:
                made.append(DrawingJudge(service.encoder, prompts_for(service.encoder)))
            return made[0]

    @router.get("")
    async def game() -> dict[str, Any]:
        ready = await service.in_library(judge)  # now, so that the first stroke does not wait for it
        return {"prompts": ready.prompts, "knows_writing": ready.knows_writing}

    @router.post("/score")
    async def score(request: Request) -> dict[str, Any]:
        body = await read_body(request, DrawingBody, service.settings)

        def judged() -> Verdict:
            check_pixels(body.image, service.settings.max_pixels)
            return judge().judge(decode(body.image, SIDE), body.prompt)

        verdict = await service.in_library(judged)
        guesses = [{"text": text, "probability": probability} for text, probability in verdict.guesses]
        return asdict(verdict) | {"guesses": guesses, "is_writing": verdict.is_writing}

    return router
