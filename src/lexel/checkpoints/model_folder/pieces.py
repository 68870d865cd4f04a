"""The pieces of a model folder: each is the file that the folder was written with, or it is refused."""

import hashlib
import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from lexel.config import Config
from lexel.errors import ModelError

Description = TypeVar("Description", bound=Config)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_there(folder: Path, piece: str) -> None:
    """Raise ModelError where the piece is missing."""
    if not (folder / piece).is_file():
        raise ModelError(f"{folder} is incomplete: {piece} is missing. Copy the whole folder again.")


def check_piece(folder: Path, piece: str, expected: str, made: str) -> None:
    """Raise ModelError unless the piece has the expected SHA-256. `made` says what wrote it: "saved", "exported"."""
    check_there(folder, piece)
    if sha256_of(folder / piece) != expected:
        raise ModelError(
            f"{folder / piece} is not the file that this model was {made} with: it is damaged or comes from another "
            "model.\nCopy the whole folder again."
        )


def read_description(path: Path, kind: type[Description], current: int, of: str) -> Description:
    """What a JSON file of the format `current` says `of` the model. Raises ModelError when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} is not readable JSON: {error}. Copy the model folder again.") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != current:
        raise ModelError(
            f"{path} is of format {found}; this Lexel reads format {current}. Use a fitting version of Lexel."
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{path} does not describe {of}: {where}: {first['msg']}. Copy the model folder again."
        ) from None
