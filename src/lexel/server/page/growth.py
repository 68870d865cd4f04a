"""How the matrix of one batch lit up along its diagonal during training, where the run still lies beside the model."""

import json
from pathlib import Path
from typing import Any

from lexel.encoder import Encoder

GROWTH = "growth.json"  # in the run folder, above the model
MAX_BYTES = 8 << 20


def growth_of(encoder: Encoder) -> dict[str, Any] | None:
    """The `growth.json` of the model's run, or None if it is not there or cannot be read."""
    if encoder.source is None:
        return None
    path = Path(encoder.source.model).expanduser().absolute().parent / GROWTH
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("steps") else None
