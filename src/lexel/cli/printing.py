"""How results look on standard output."""

import json
from collections.abc import Sequence
from typing import Any

BAR = 20  # characters


def print_json(result: Any) -> None:
    """One JSON value, indented for people who look."""
    print(json.dumps(result, indent=2, ensure_ascii=False))


def print_ranking(ranked: Sequence[tuple[str, float]], indent: str = "") -> None:
    """A line for each text: its probability, a bar, the text."""
    for text, probability in ranked:
        print(f"{indent}{probability:7.1%}  {'█' * round(probability * BAR):<{BAR}}  {text}")
