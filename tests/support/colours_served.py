"""A library of coloured pictures with captions and dates, and the model that knows their colours."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from colour_runtime import NAMES, colour_model
from coloured_library import coloured

from lexel.encoder import Encoder
from lexel.library.library import Library
from lexel.server.app import create_app
from lexel.server.listening import ServePlan, listening_socket, server_config
from lexel.server.service import Service

EACH = 6


def make_coloured_folder(home: Path) -> Path:
    """The folder of a library of 60 pictures."""
    pictures = home / "pictures"
    pictures.mkdir(parents=True)
    rows = []
    for number, colour in enumerate(NAMES * EACH):
        name = f"{colour}-{number // len(NAMES)}.png"
        coloured(pictures / name, colour, number)
        rows.append(
            {"file_name": name, "captions": [f"a {colour} thing, number {number // len(NAMES)}"], "label": colour}
        )
    (pictures / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with Library.open(home / "colours.lexel", colour_model(), create=True) as library:
        library.add(str(pictures))
    return home / "colours.lexel"


@pytest.fixture(scope="session")
def colours() -> Encoder:
    """The model that knows colours."""
    return colour_model()


@pytest.fixture(scope="session")
def coloured_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 60 coloured pictures, which tests leave as it is."""
    return make_coloured_folder(tmp_path_factory.mktemp("colours"))


@contextmanager
def served(service: Service) -> Iterator[str]:
    """The address of a server of this process."""
    plan = ServePlan("", service.settings, port=0)
    with listening_socket(plan) as listener:
        server = uvicorn.Server(server_config(plan, create_app(service)))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=30)
