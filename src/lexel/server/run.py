"""The process around the application: its socket, signals, workers, and the line that says it is ready.

The model is loaded before the socket listens: who can connect is answered. When the process is asked to end (SIGTERM,
Ctrl-C) it takes no new connections, finishes what it was asked, and exits with status 0.
"""

import asyncio
import signal
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import uvicorn

from lexel.errors import UsageError
from lexel.loading import ModelChoice
from lexel.progress import say
from lexel.server.app import create_app
from lexel.server.http.connections import patient_protocol
from lexel.server.http.request_log import LogStyle
from lexel.server.service import Service
from lexel.server.settings import ServerSettings

BACKLOG = 2048
SPARE_FILES = 128  # of those that the process may open, for what is no connection


@dataclass(frozen=True)
class ServePlan:
    """What is served, where and how; plain data, so that a worker can be given it."""

    target: str
    settings: ServerSettings
    model: ModelChoice | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    log: LogStyle = "json"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host == "localhost" or (_is_address(self.host) and ip_address(self.host).is_loopback)


def serve(plan: ServePlan) -> None:
    """Serve until the process is asked to end. Raises UsageError where it cannot listen, LexelError for the model."""
    with _listening(plan) as listener:
        if plan.workers > 1:
            from lexel.server.workers import serve_with_workers

            serve_with_workers(plan, listener)
            return
        service = Service.open(plan.target, plan.settings, plan.model)
        app = create_app(service, plan.settings, plan.log)
        server = AnnouncingServer(server_config(plan, app), service, ready_lines(plan, listener))
        _end_quietly()
        server.run([listener])


class AnnouncingServer(uvicorn.Server):
    """A server that says when it is ready, and whose service knows when it ends."""

    def __init__(self, config: uvicorn.Config, service: Service, lines: list[str]) -> None:
        super().__init__(config)
        self._service = service
        self._lines = lines

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for line in self._lines:
            say(line)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.is_draining = True
        await asyncio.sleep(0)  # connections that are being accepted
        await super().shutdown(sockets)


def server_config(plan: ServePlan, app: Any, *, is_factory: bool = False) -> uvicorn.Config:
    """uvicorn's settings: ours replace its log, its limits and its headers."""
    settings = plan.settings
    return uvicorn.Config(
        app,
        factory=is_factory,
        workers=plan.workers,
        http=patient_protocol(settings, min(settings.max_connections, _room_for_connections())),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        backlog=BACKLOG,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def ready_lines(plan: ServePlan, listener: socket.socket) -> list[str]:
    """What is said when it is ready: where, and loudly who can reach it, where that is not this machine alone."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    name = "localhost" if plan.is_local else shown
    lines = [f"lexel serve: ready at http://{name}:{port}  (Ctrl-C ends it)"]
    if not plan.is_local:
        changes = "search it" if plan.settings.read_only else "search it, add to it and remove from it"
        who = "with a key " if plan.settings.api_keys else ""
        lines.insert(
            0,
            f"WARNING: listening on {shown}, not on this machine alone. Everybody {who}who can reach port {port} may "
            f"use the model and, where a library is served, {changes}."
            + ("" if plan.settings.api_keys else " Ask for keys with --api-keys FILE."),
        )
    return lines


def _listening(plan: ServePlan) -> socket.socket:
    """A socket bound to the address; it listens when the model is loaded. Raises UsageError where it cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            plan.host, plan.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f'"{plan.host}" is no address of this machine: {error.strerror}.') from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Cannot listen on {plan.host}, port {plan.port}: {error.strerror}.\n"
            "  Take another with --port, or let the system choose: --port 0."
        ) from None
    listener.set_inheritable(True)
    return listener


def _room_for_connections() -> int:
    """How many connections the limit of open files leaves room for, after it was raised as far as it may be."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1 << 16 if hard == resource.RLIM_INFINITY else hard
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, 1 << 16), hard))
        soft = min(wanted, 1 << 16)
    return max(16, soft - SPARE_FILES)


def _end_quietly() -> None:
    """uvicorn raises the signal again that ended it; a server that was asked to end and did has done well."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
