"""Limits on requests at once, on the bytes of one body and of all bodies, and on the time of a request.

The work on a request ends when its client leaves.

Bodies are refused by their announced length before a byte of them is read, and while they are read where they announce
none. What was refused is read on for a moment, unheeded: a client that is still sending would not see the answer.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lexel.server.http.problems import ProblemError
from lexel.server.metrics import ServerMetrics
from lexel.server.settings import ServerSettings

LINGER_SECONDS = 2.0
ALWAYS_ADMITTED = frozenset({"/health", "/ready", "/metrics"})  # whoever watches must see that it is full
STALL_SECONDS = 30.0  # that a client may take to receive the next piece of an answer


class Admission:
    """Middleware; see the module."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self.app = app
        self._settings = settings
        self._metrics = metrics
        self._open = 0
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, scope, receive)
        answer = _Answer(send, body)
        self._open += 1
        try:
            await self._admit(scope, body, answer)
        except ClientGoneError:
            return
        except ProblemError as problem:
            if answer.has_started:
                raise
            self._metrics.refused(problem.kind.replace("-", "_"))
            await problem.response(scope["request_id"])(scope, body.receive, answer.send)
        finally:
            self._open -= 1
            body.release()

    def hold(self, count: int) -> None:
        """Make room for bytes of a body. Raises ProblemError where all bodies together are too large."""
        if self._held_bytes + count > self._settings.max_bodies_bytes:
            raise ProblemError(429, "too-much-at-once", "Too many large requests are open. Try again.", retry_after=1)
        self._held_bytes += count

    def let_go(self, count: int) -> None:
        self._held_bytes -= count

    async def _admit(self, scope: Scope, body: "_Body", answer: "_Answer") -> None:
        if self._open > self._settings.max_requests and scope["path"] not in ALWAYS_ADMITTED:
            raise ProblemError(429, "too-many-requests", "Too many requests are open. Try again.", retry_after=1)
        body.check_length(self._settings.max_body_bytes)
        deadline = asyncio.timeout(self._settings.request_seconds)
        try:
            async with deadline:
                answer.on_start = lambda: deadline.reschedule(None)
                await _until_gone(self.app(scope, body.receive, answer.send), body)
        except TimeoutError:
            if not deadline.expired():
                raise
            answer.on_start = lambda: None
            detail = f"The server is too busy: this was not done within {self._settings.request_seconds:g} s."
            raise ProblemError(429, "too-slow", detail, retry_after=5) from None


class ClientGoneError(Exception):
    """The client no longer accepts the answer."""


class _Body:
    """Hands on a request's messages, within its limits, and knows when the client has left."""

    def __init__(self, admission: Admission, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        self.length = _length(headers)
        self.is_chunked = "transfer-encoding" in headers
        self.gone = asyncio.Event()
        self._admission = admission
        self._scope = scope
        self._receive = receive
        self._limit = 0
        self._read = 0
        self._held = 0
        self._ends = asyncio.get_running_loop().time() + admission._settings.body_seconds
        self._whole = asyncio.Event()
        self._is_empty = not (self.length or self.is_chunked)
        if self._is_empty:
            self._whole.set()

    @property
    def is_whole(self) -> bool:
        """Whether all of it has been read."""
        return self._whole.is_set()

    def check_length(self, limit: int) -> None:
        """Raise ProblemError for a body that is announced to be too large, alone or with the others."""
        self._limit = limit
        if self.length > limit:
            raise _too_large(limit)
        self._hold(self.length)

    async def receive(self) -> Message:
        """The next message for the app."""
        if self._whole.is_set():
            if self._is_empty:
                self._is_empty = False  # it is told of once
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            raise ProblemError(408, "body-too-slow", "The body of the request did not come in time.") from None
        if message["type"] == "http.disconnect":
            self.gone.set()
            return message
        self._read += len(message.get("body", b""))
        self._scope["body_bytes"] = self._read
        if self._read > self._limit:
            raise _too_large(self._limit)
        if self._read > self._held:
            self._hold(self._read - self._held)
        if not message.get("more_body", False):
            self._whole.set()
        return message

    async def watch(self) -> None:
        """Return when the client has left."""
        await self._whole.wait()
        while not self.gone.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone.set()

    async def linger(self) -> None:
        """Read on what a client still sends, for a moment, and drop it."""
        if self._whole.is_set():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while (message := await self._receive())["type"] == "http.request" and message.get("more_body"):
                    pass

    def release(self) -> None:
        self._admission.let_go(self._held)
        self._held = 0

    def _hold(self, count: int) -> None:
        self._admission.hold(count)
        self._held += count


class _Answer:
    """Sends on what the app answers; where the body was not read to its end, the connection is closed after it."""

    def __init__(self, send: Send, body: _Body) -> None:
        self.has_started = False
        self.on_start = lambda: None
        self._send = send
        self._body = body

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            self.on_start()
            if not self._body.is_whole:
                MutableHeaders(scope=message)["Connection"] = "close"
        elif not (self._body.is_whole or message.get("more_body", False)):
            await self._put({**message, "more_body": True})
            await self._body.linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._put(message)

    async def _put(self, message: Message) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self._send(message)
        except TimeoutError:
            raise ClientGoneError from None


async def _until_gone(work: Awaitable[None], body: _Body) -> None:
    """Await the work, or cancel it when the client has left."""
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(body.watch())
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    if not working.cancelled():
        working.result()


def _length(headers: Headers) -> int:
    given = headers.get("content-length", "0")
    if not (given.isascii() and given.isdigit()):
        raise ProblemError(400, "bad-length", "Content-Length is no number.")
    return int(given[:20])


def _too_large(limit: int) -> ProblemError:
    return ProblemError(413, "body-too-large", f"The body of a request may have {limit:,} bytes at most.")
