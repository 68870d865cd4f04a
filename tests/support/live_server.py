"""A real server on a real socket, in a thread of the test's process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lexel.server.app import create_app
from lexel.server.listening import ServePlan, listening_socket, server_config
from lexel.server.run import AnnouncingServer
from lexel.server.service import Service
from lexel.server.settings import ServerSettings

LONGEST_WAIT = 30.0  # seconds for it to start


@contextmanager
def live_server(target: object, settings: ServerSettings | None = None) -> Iterator[str]:
    """Serve a model or a library while the block lasts; its address."""
    settings = settings or ServerSettings()
    plan = ServePlan(str(target), settings, port=0)
    service = Service.open(plan.target, settings)
    with listening_socket(plan) as listener:
        server = AnnouncingServer(server_config(plan, create_app(service, settings)), [])
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        ends = time.monotonic() + LONGEST_WAIT
        while not server.started and thread.is_alive() and time.monotonic() < ends:
            time.sleep(0.01)
        assert server.started
        port = listener.getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()
