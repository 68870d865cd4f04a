"""The outermost layer: each request has an id, a line in the log and its place in the numbers, but never its content.

Neither query strings nor bodies are logged, because they are private. An unexpected error is answered with a problem
document that holds nothing but the id, under which the log has the traceback.
"""

import json
import re
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lexel.server.http.problems import ProblemError, as_problem
from lexel.server.metrics import ServerMetrics
from lexel.terminal import escape_controls

LogStyle = Literal["json", "text", "off"]
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
UNMATCHED = "unmatched"  # as route, so that made-up addresses do not fill the numbers
CLIENT_CLOSED = 499  # as status, where the client left before the answer


class RequestLog:
    """Middleware; see the module."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, style: LogStyle = "json") -> None:
        self.app = app
        self._metrics = metrics
        self._write = _writer(style)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if GIVEN_ID.fullmatch(given) else token_hex(8)
        scope["request_id"] = request_id
        status, sent = 0, 0

        async def note(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self._metrics.request_began()
        try:
            await self.app(scope, receive, note)
        except Exception as error:  # any: nothing is above that could answer
            if status:
                raise
            await self._answer(error, request_id)(scope, receive, note)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", UNMATCHED)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.request_ended(route, method, status or CLIENT_CLOSED, seconds)
            self._write(
                {
                    "event": "request",
                    "request_id": request_id,
                    "method": method,
                    "route": route,
                    "status": status or CLIENT_CLOSED,
                    "ms": round(1000 * seconds, 1),
                    "bytes_in": scope.get("body_bytes", 0),
                    "bytes_out": sent,
                }
            )

    def _answer(self, error: Exception, request_id: str) -> ASGIApp:
        problem = as_problem(error)
        if problem is None:
            self._write(
                {
                    "event": "error",
                    "request_id": request_id,
                    "error": type(error).__name__,
                    "trace": [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)],
                }
            )
            problem = ProblemError(
                500, "internal-error", f"The server failed at this request; its log has the reason under {request_id}."
            )
        return problem.response(request_id)


def _writer(style: LogStyle) -> Callable[[dict[str, Any]], None]:
    """How an entry is written to standard error: as JSON for programs, as a line for people, or not at all."""
    if style == "off":
        return lambda entry: None
    if style == "json":
        return lambda entry: _put(json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds")} | entry))
    return lambda entry: _put(_as_line(entry))


def _as_line(entry: dict[str, Any]) -> str:
    if entry["event"] == "error":
        return f"error {entry['error']} in {entry['trace'][-1] if entry['trace'] else '?'}  {entry['request_id']}"
    return "{status} {method} {route}  {ms} ms  {request_id}".format(**entry)


def _put(line: str) -> None:
    with suppress(OSError):  # nobody reads it any more; that is no reason to fail at a request
        sys.stderr.write(f"{escape_controls(line)}\n")
        sys.stderr.flush()
