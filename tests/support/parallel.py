"""Scenes with captions in made-up languages: German is written backwards, French in capitals and sometimes missing."""

import json
from pathlib import Path
from typing import Any

from lexel.data.readers import read_source


def german(text: str) -> str:
    return text[::-1]


def french(text: str) -> str:
    return text.upper()


def make_parallel_folder(folder: Path, scenes: str) -> Path:
    """An image folder with `captions`, `captions_de` and, for two of three pictures, `captions_fr`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, pair in enumerate(read_source(scenes).pairs):
        pair.picture.load().save(folder / f"{number:02}.png")
        row: dict[str, Any] = {"file_name": f"{number:02}.png", "captions": list(pair.captions)}
        row["captions_de"] = [german(text) for text in pair.captions]
        if number % 3:
            row["captions_fr"] = [french(text) for text in pair.captions]
        lines.append(json.dumps(row))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder
