"""`/v1/classify`, `/v1/rank` and `/v1/similarity`: how well pictures and texts fit."""

import numpy as np
from fastapi import APIRouter, Request

from lexel.evaluation.matching import match_of
from lexel.evaluation.texts.labels import check_labels
from lexel.evaluation.texts.prompts import Prompts
from lexel.evaluation.texts.templates import templates as read_templates
from lexel.server.http.bodies import PROBLEMS, described, read_body
from lexel.server.http.problems import too_many
from lexel.server.routes.limits import check_images, check_lengths
from lexel.server.schemas.judging import (
    ClassifyAnswer,
    ClassifyRequest,
    LabelFit,
    RankAnswer,
    RankedFit,
    RankRequest,
    SimilarityAnswer,
    SimilarityRequest,
)
from lexel.server.service import Service
from lexel.unit_vectors import unit


def judging_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["judging"], responses=PROBLEMS)
    encoder, settings = service.encoder, service.settings

    @router.post("/v1/classify", openapi_extra=described(ClassifyRequest), summary="Name a picture")
    async def classify(request: Request) -> ClassifyAnswer:
        """The labels with their probabilities, best first (zero-shot classification)."""
        asked = await read_body(request, ClassifyRequest, settings)
        check_images([asked.image], settings)
        check_lengths(asked.labels, settings, "labels")
        check_labels(asked.labels)
        templates = read_templates(asked.templates, files=False)  # a client may read none of ours
        if len(templates) > settings.max_templates:
            raise too_many("templates", len(templates), settings.max_templates)
        check_lengths(templates, settings, "templates")
        prompts = Prompts(templates).of_all(asked.labels)
        of_prompts, image = await service.embedder.both(prompts, [asked.image])
        means = of_prompts.reshape(len(asked.labels), len(templates), -1).mean(axis=1)
        cosines = image @ unit(means).T
        chances = encoder.probabilities_of(cosines)[0]
        # A match is of a prompt, not of their mean: the mean cosine over the prompts.
        matches = match_of(encoder, image, image @ means.T)[0]
        best = np.argsort(-chances, kind="stable")[: asked.top]
        labels = [
            LabelFit(
                label=asked.labels[i],
                probability=float(chances[i]),
                match=float(matches[i]),
                cosine=float(cosines[0, i]),
            )
            for i in best.tolist()
        ]
        return ClassifyAnswer(labels=labels, logit_scale=encoder.logit_scale)

    @router.post("/v1/rank", openapi_extra=described(RankRequest), summary="Rank captions, or pictures")
    async def rank(request: Request) -> RankAnswer:
        """Captions for a picture, or pictures for a caption, best first."""
        asked = await read_body(request, RankRequest, settings)
        texts = asked.captions or [asked.caption or ""]
        images = asked.images or [asked.image or b""]
        compared = await _compare(images, texts)
        # One row or one column: of either the probabilities compare those that were given.
        cosines, matches = (values.ravel() for values in compared)
        chances = encoder.probabilities_of(cosines[None])[0]
        ranked = [
            RankedFit(
                index=i,
                caption=asked.captions[i] if asked.captions else None,
                probability=float(chances[i]),
                match=float(matches[i]),
                cosine=float(cosines[i]),
            )
            for i in np.argsort(-cosines, kind="stable").tolist()
        ]
        return RankAnswer(ranked=ranked, logit_scale=encoder.logit_scale)

    @router.post("/v1/similarity", openapi_extra=described(SimilarityRequest), summary="Compare each with each")
    async def similarity(request: Request) -> SimilarityAnswer:
        """Cosines, probabilities and matches of every picture with every text."""
        asked = await read_body(request, SimilarityRequest, settings)
        cosines, matches = await _compare(asked.images, asked.texts)
        return SimilarityAnswer(
            cosines=cosines.tolist(),
            probabilities=encoder.probabilities_of(cosines).tolist(),
            matches=matches.tolist(),
            logit_scale=encoder.logit_scale,
            logit_bias=encoder.logit_bias,
        )

    async def _compare(images: list[bytes], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Cosines and matches, each (images, texts)."""
        check_images(images, settings)
        check_lengths(texts, settings)
        of_texts, of_images = await service.embedder.both(texts, images)
        cosines = of_images @ of_texts.T
        return cosines, match_of(encoder, of_images, cosines)

    return router
