"""Every error as a problem document (RFC 9457): what is wrong, where, what to do, and never a traceback."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from lexel.errors import BadImageError, LexelError, UsageError
from lexel.server.batching.embedder import QueueFullError

MEDIA_TYPE = "application/problem+json"
KIND_PREFIX = "urn:problem-type:lexel:"
MAX_PLACES = 20  # of a request that are named at once


class WrongPlace(BaseModel):
    """One thing in a request that is wrong."""

    where: str = Field(description="its place in the request, such as body.labels.3")
    why: str


class OpenAIError(BaseModel):
    """What is wrong, where OpenAI's clients look for it."""

    message: str
    type: str
    code: str


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="names the kind of problem, for programs", examples=[f"{KIND_PREFIX}queue-full"])
    title: str
    status: int
    detail: str = Field(description="what is wrong and what to do, for people")
    request_id: str = Field(description="as in the header X-Request-ID and the log")
    errors: list[WrongPlace] | None = Field(
        default=None, description="the places, where the request does not fit its schema"
    )
    error: OpenAIError = Field(description="the same for clients of OpenAI's API")


class ProblemError(Exception):
    """A refusal that ends a request: `kind` is a few words with dashes, `detail` a sentence."""

    def __init__(
        self, status: int, kind: str, detail: str, *, retry_after: int | None = None, places: Sequence[WrongPlace] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.places = list(places)
        self.headers: dict[str, str] = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if status == HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self, request_id: str) -> Response:
        """The response for this problem."""
        whose = "invalid_request_error" if self.status < HTTPStatus.TOO_MANY_REQUESTS else "server_error"
        document: dict[str, Any] = {
            "type": f"{KIND_PREFIX}{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
            "error": {"message": self.detail, "type": whose, "code": self.kind},
        }
        if self.places:
            document["errors"] = [place.model_dump() for place in self.places]
        return Response(to_json(document), self.status, self.headers, MEDIA_TYPE)


def too_many(what: str, count: int, limit: int) -> ProblemError:
    """The refusal of a request for more than is allowed."""
    return ProblemError(
        422, f"too-many-{what}", f"{count:,} {what} are more than the {limit:,} that one request may have."
    )


def as_problem(error: Exception) -> ProblemError | None:
    """The problem for an error that the client or the load caused; None for an error of the server."""
    match error:
        case ProblemError():
            return error
        case QueueFullError():
            return ProblemError(429, "queue-full", str(error), retry_after=error.retry_after)
        case BadImageError():
            return ProblemError(422, "image-unreadable", str(error))
        case UsageError():
            return ProblemError(422, "not-possible", str(error))
        case RequestValidationError() | ValidationError():
            return _invalid(error.errors())
        case HTTPException():
            return _plain(error)
    return None


def install_problems(app: FastAPI) -> None:
    """Let the app answer with problem documents."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = as_problem(error)
        if problem is None:
            raise error
        return problem.response(request.scope.get("request_id", ""))

    for kind in (ProblemError, LexelError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def _invalid(errors: Sequence[Mapping[str, Any]]) -> ProblemError:
    """Names the places of a request that do not fit its schema, without their content."""
    places = [
        WrongPlace(where=".".join(map(str, one["loc"])) or "body", why=one["msg"].removeprefix("Value error, "))
        for one in errors[:MAX_PLACES]
    ]
    more = f" There are {len(errors) - len(places):,} more." if len(errors) > len(places) else ""
    said = "; ".join(f"{place.where}: {place.why}" for place in places[:3])
    return ProblemError(422, "invalid-request", f"The request does not fit its schema: {said}.{more}", places=places)


def _plain(error: HTTPException) -> ProblemError:
    """Errors that the framework itself raises: unknown paths and methods, broken forms."""
    kinds = {404: "not-found", 405: "method-not-allowed"}
    details = {
        404: "There is nothing at this address. All addresses: /openapi.json",
        405: f"This address does not accept that method. It accepts: {(error.headers or {}).get('Allow', 'another')}",
    }
    status = error.status_code
    problem = ProblemError(status, kinds.get(status, "refused"), details.get(status, str(error.detail)))
    problem.headers |= dict(error.headers or {})
    return problem
