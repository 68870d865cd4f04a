"""Where a server listens and how: the plan, the socket, uvicorn's settings, and the lines that say it is ready."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from lexel.errors import UsageError
from lexel.loading import ModelChoice
from lexel.server.http.connections import PatientConfig, PatientProtocol
from lexel.server.http.request_log import LogStyle
from lexel.server.settings import ServerSettings

BACKLOG = 2048
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
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


def hosts_for(host: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """The names that a server answers to: of this machine alone its own and those given, else those given, or any.

    A page whose name was bent to this machine (DNS rebinding) cannot ask under its own name then.
    """
    is_local = ServePlan("", ServerSettings(), host=host).is_local
    return (*LOCAL_NAMES, *given) if is_local else given


def server_config(plan: ServePlan, app: Any, *, is_factory: bool = False) -> PatientConfig:
    """uvicorn's settings: ours replace its log, its limits and its headers."""
    settings = plan.settings
    config = PatientConfig(
        app,
        factory=is_factory,
        workers=plan.workers,
        http=PatientProtocol,
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
    config.header_seconds = settings.header_seconds
    config.max_connections = min(settings.max_connections, _room_for_connections())
    return config


def ready_lines(plan: ServePlan, listener: socket.socket) -> list[str]:
    """The lines printed when the server is ready: its address, and a warning if other machines can reach it."""
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


def listening_socket(plan: ServePlan) -> socket.socket:
    """A socket bound to the address; it listens when the model is loaded. Raises UsageError where it cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            plan.host, plan.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f'"{plan.host}" is not an address of this machine: {error.strerror}.') from None
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


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
