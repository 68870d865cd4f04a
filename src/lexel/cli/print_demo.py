"""How the demo's pictures and guesses look on standard output."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lexel.terminal import one_line, unescaped

BAR_LENGTH = 20  # characters


def print_ranking(ranked: Sequence[tuple[str, float]], indent: str = "") -> None:
    """A line for each text: its probability, a bar, the text."""
    for text, probability in ranked:
        print(f"{indent}{probability:7.1%}  {'█' * round(probability * BAR_LENGTH):<{BAR_LENGTH}}  {one_line(text)}")


def print_pictures(paths: Sequence[Path], width: int) -> None:
    """Pictures side by side, two pixels to a character, where standard output is a terminal with colours."""
    if not sys.stdout.isatty():
        return
    from PIL import Image
    from rich.console import Console
    from rich.text import Text

    console = Console(file=unescaped(sys.stdout))
    each = max(8, min(width, (console.width - 2) // max(1, len(paths)) - 2))
    small = [Image.open(path).convert("RGB").resize((each, each), Image.Resampling.BOX) for path in paths]
    for row in range(0, each - 1, 2):
        line = Text("  ")
        for image in small:
            for column in range(each):
                upper, lower = image.getpixel((column, row)), image.getpixel((column, row + 1))
                line.append("▀", style=f"{_hex(upper)} on {_hex(lower)}")
            line.append("  ")
        console.print(line)


def _hex(colour: Any) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
