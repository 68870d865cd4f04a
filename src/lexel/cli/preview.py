"""Thumbnails in the terminal: in full where it speaks kitty's protocol or sixel (iTerm2 does), else in half blocks."""

import io
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lexel.errors import UsageError
from lexel.extras import missing_library
from lexel.terminal import one_line, unescaped

if TYPE_CHECKING:
    from PIL.Image import Image

    from lexel.library.search.query import Hit

WIDTH = 28  # characters of a picture, with its frame
HEIGHT = 12


def print_previews(hits: "Sequence[Hit]", thumbnail: Callable[[int], bytes]) -> None:
    """Rows of pictures with their place and name below. Raises UsageError where there is no terminal to draw in."""
    if not (sys.stdout.isatty() and shutil.get_terminal_size((0, 0)).columns):
        raise UsageError("--preview draws in a terminal, and this is none. For a page of pictures: --html FILE")
    try:
        from textual_image.renderable import Image as Drawn
    except ImportError as error:
        raise missing_library("Drawing pictures", "textual_image", error) from None
    from PIL.Image import open as open_image
    from rich.console import Console
    from rich.table import Table

    console = Console(file=unescaped(sys.stdout))
    across = max(1, console.width // WIDTH)
    for start in range(0, len(hits), across):
        row = hits[start : start + across]
        table = Table.grid(padding=(0, 1))
        for _ in row:
            table.add_column(width=WIDTH - 1, overflow="ellipsis", no_wrap=True)
        pictures = [open_image(io.BytesIO(thumbnail(hit.photo.id))) for hit in row]
        table.add_row(*(Drawn(picture, width=WIDTH - 2, height=_height(picture)) for picture in pictures))
        table.add_row(*(f"{start + place}. {_name(hit)}" for place, hit in enumerate(row, start=1)))
        console.print(table)


def _height(picture: "Image") -> int:
    """Lines that keep the aspect ratio: a character is about twice as high as wide."""
    return max(1, min(HEIGHT, round((WIDTH - 2) * picture.height / picture.width / 2)))


def _name(hit: "Hit") -> str:
    return one_line(hit.photo.shown.rpartition("/")[2])
