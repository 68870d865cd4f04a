"""The process around the application: its signals, and how it begins and ends.

The model is loaded before the socket listens: who can connect is answered. When the process is asked to end (SIGTERM,
Ctrl-C) it takes no new connections, finishes what it was asked, and exits with status 0.
"""

import signal
import socket

import uvicorn

from lexel.progress import say
from lexel.server.app import create_app
from lexel.server.listening import ServePlan, listening_socket, ready_lines, server_config
from lexel.server.service import Service
from lexel.server.workers import serve_with_workers


def serve(plan: ServePlan) -> None:
    """Serve until the process is asked to end. Raises UsageError where it cannot listen, LexelError for the model."""
    with listening_socket(plan) as listener:
        if plan.workers > 1:
            serve_with_workers(plan, listener)
            return
        service = Service.open(plan.target, plan.settings, plan.model)
        app = create_app(service, plan.settings, plan.log)
        server = AnnouncingServer(server_config(plan, app), ready_lines(plan, listener))
        _end_quietly()
        server.run([listener])


class AnnouncingServer(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, lines: list[str]) -> None:
        super().__init__(config)
        self._lines = lines

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for line in self._lines:
            say(line)


def _end_quietly() -> None:
    """uvicorn raises the signal that ended it again; a server that ended as it was asked exits with status 0."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
