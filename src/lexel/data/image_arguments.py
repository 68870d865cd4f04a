"""The pictures that a command line names: files, folders, globs, or standard input."""

import glob
import sys
from collections.abc import Sequence
from pathlib import Path

from lexel.data.readers.paths import key_of
from lexel.data.readers.walk import LeftOut, walk_folders
from lexel.errors import BadImageError, UsageError, did_you_mean
from lexel.images import decode
from lexel.progress import say


def image_arguments(arguments: Sequence[str]) -> list[tuple[str, Path | bytes]]:
    """(name, file or bytes) of every picture that the arguments name: each file once, folders in sorted order.

    `-` reads standard input: one picture, or the paths of pictures, one a line. Raises UsageError where an argument
    names nothing.
    """
    found: dict[str, Path | bytes] = {}
    for argument in arguments:
        found |= _from_stdin() if argument == "-" else _from_path(argument)
    return list(found.items())


def image_argument(argument: str) -> Path | bytes:
    """The one picture that the argument names. Raises UsageError where it names none or several."""
    found = image_arguments([argument])
    if len(found) != 1:
        raise UsageError(f"{argument} holds {len(found):,} pictures; name one of them, such as {found[0][0]}.")
    return found[0][1]


def _from_path(argument: str) -> dict[str, Path | bytes]:
    if not argument.strip():
        raise UsageError("The name of an image is empty.")
    path = Path(argument).expanduser()
    if path.exists():
        return _pictures_at(path)
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns are fine here
    if not matches:
        near = did_you_mean(path.name, [file.name for file in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise UsageError(f'There is no file, folder or match for "{argument}".{near}')
    found: dict[str, Path | bytes] = {}
    for match in matches:
        found |= _pictures_at(Path(match))
    return found


def _pictures_at(path: Path) -> dict[str, Path | bytes]:
    if not path.is_dir():
        return {str(path): path}
    files, left_out = [], LeftOut()
    for folder in walk_folders([str(path)]):
        left_out.add(folder)
        if folder.problem is not None:
            say(f"{key_of(folder.path)} cannot be read: {folder.problem}")
        files += [Path(entry.path) for entry in folder.pictures]
    for note in left_out.notes(key_of):
        say(note)
    if not files:
        raise UsageError(f"{path} holds no pictures.")
    return {str(file): file for file in sorted(files)}


def _from_stdin() -> dict[str, Path | bytes]:
    content = sys.stdin.buffer.read()
    if not content.strip():
        raise UsageError("Standard input is empty; send a picture, or paths of pictures, one a line.")
    try:
        decode(content)
    except BadImageError as error:
        return _from_lines(content, str(error))
    return {"-": content}


def _from_lines(content: bytes, why_no_picture: str) -> dict[str, Path | bytes]:
    try:
        lines = [line.strip() for line in content.decode().splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise UsageError(f"Standard input is neither a picture ({why_no_picture}) nor a list of paths.") from None
    found: dict[str, Path | bytes] = {}
    for line in lines:
        found |= _from_path(line)
    return found
