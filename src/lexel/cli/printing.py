"""JSON on standard output. How each room's results look for people is in `print_*`."""

import json
from typing import Any


def print_json(result: Any) -> None:
    """One JSON value, indented for people who look."""
    print(json.dumps(result, indent=2, ensure_ascii=False))
