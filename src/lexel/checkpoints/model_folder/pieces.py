"""The pieces of a model folder: each is the file that the folder was written with, or it is refused."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from lexel.config import Config
from lexel.errors import ModelError
from lexel.files import read_json_object
from lexel.identity import sha256_of

Description = TypeVar("Description", bound=Config)


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
    content = read_json_object(path, "Copy the model folder again.")
    found = content.get("format")
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
