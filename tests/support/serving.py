"""Pictures, a small library, and answers, for tests of the server."""

import base64
import io
from pathlib import Path

from coloured_library import COLOURS, coloured
from PIL import Image

from lexel.library.library import Library


def png(colour: str = "red", size: tuple[int, int] = (24, 16)) -> bytes:
    """A picture of one colour, as a file."""
    written = io.BytesIO()
    Image.new("RGB", size, colour).save(written, "PNG")
    return written.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def make_library(home: Path, model: Path) -> Path:
    """A library of twenty coloured pictures, two of each colour; the first has a caption."""
    folder = home / "pictures"
    folder.mkdir(parents=True)
    for number, colour in enumerate(COLOURS * 2):
        coloured(folder / f"{colour}-{number // len(COLOURS)}.png", colour, number)
    (folder / "red-0.txt").write_text("a barn at dusk")
    with Library.open(home / "photos.lexel", str(model), create=True) as library:
        library.add(folder)
    return home / "photos.lexel"


def assert_problem(answer, status: int, kind: str) -> str:
    """Check that an answer is a problem document of this kind; its detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"] == f"urn:problem-type:lexel:{kind}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem["detail"]
