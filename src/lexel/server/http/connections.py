"""Slow connections: each part of a request has a time limit and a size limit.

uvicorn waits for the head of a request for ever and takes one of any length. Here a connection that does not send its
head in time is closed. When the server is asked to stop, an idle connection stays open for a moment more: a request
that is already on its way is answered, and the answer says that the connection ends.
"""

import asyncio

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 << 10
FRAMING_BYTES_PER_BYTE = 8  # of chunks of one byte, and some
QUIET_SECONDS = 0.5  # without a request, after which an unused connection ends when the server does
ABORT_SECONDS = 10.0  # that a closed connection has to take the rest of its answer


class PatientConfig(uvicorn.Config):
    """uvicorn's configuration, and the limits of its connections."""

    header_seconds = 10.0
    max_connections = 2048


class PatientProtocol(HttpToolsProtocol):
    """One connection of a server whose configuration is a PatientConfig.

    `drain` in the application's state is called when the server is asked to end.
    """

    _is_draining = False
    _head_timer: asyncio.TimerHandle | None = None
    _raw_bytes = 0  # of the request that is being read
    _body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        if len(self.connections) > self._patience.max_connections:
            transport.abort()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_timer is None and self._is_idle:
            self._wait_for_head()
        self._raw_bytes += len(data)
        super().data_received(data)
        if self._raw_bytes - self._body_bytes > MAX_HEAD_BYTES + FRAMING_BYTES_PER_BYTE * self._body_bytes:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._raw_bytes = self._body_bytes = 0  # what follows the head in the same piece is forgiven
        super().on_headers_complete()
        if self._is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._raw_bytes = self._body_bytes = 0
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.loop.call_later(ABORT_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        self._is_draining = True
        if (drain := self.app_state.get("drain")) is not None:
            drain()
        if self._is_idle:
            self.loop.call_later(QUIET_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    @property
    def _patience(self) -> PatientConfig:
        assert isinstance(self.config, PatientConfig)
        return self.config

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle and not self.transport.is_closing():
            self.transport.close()

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self._patience.header_seconds, self._refuse, b"408 Request Timeout")

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: bytes) -> None:
        self._stop_waiting()
        if self._is_idle and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
        self.loop.call_later(ABORT_SECONDS, self.transport.abort)
