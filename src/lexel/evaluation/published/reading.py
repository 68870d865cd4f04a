"""Any source to measure on, by its name: a published probe, or what else Lexel reads."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.published.aro import read_aro
from lexel.evaluation.published.clevr import read_clevr
from lexel.evaluation.published.own_choices import read_own_choices
from lexel.evaluation.published.probe_source import ProbeSource
from lexel.evaluation.published.sugarcrepe import read_sugarcrepe
from lexel.evaluation.published.winoground import read_winoground

READERS: dict[str, Callable[[Path, Path | None, str], ProbeSource]] = {
    "winoground": read_winoground,
    "sugarcrepe": read_sugarcrepe,
    "aro": read_aro,
    "clevr": read_clevr,
    "choices": read_own_choices,
}


def read_test_source(text: str, prefer: Sequence[str] = ("test", "val"), *, keep_columns: bool = False) -> Source:
    """Read a source to measure on: as `read_source`, or a probe such as "winoground:FOLDER".

    The probes are winoground, sugarcrepe, aro, clevr and choices, each with a folder or file behind its colon and
    perhaps `?images=FOLDER`. Raises UsageError and DataError for what is missing or is something else.
    """
    kind, mark, place = text.partition(":")
    if not mark or kind not in READERS:
        from lexel.data.readers import read_source

        return read_source(text, prefer=prefer, keep_columns=keep_columns)
    path, mark, images = place.partition("?images=")
    if not path.strip() or (mark and not images.strip()):
        raise UsageError(f'"{text}" names no files. Write {kind}:FOLDER, and ?images=FOLDER for pictures elsewhere.')
    pictures = Path(images).expanduser() if mark else None
    if pictures is not None and not pictures.is_dir():
        raise UsageError(f"There is no folder {pictures} of pictures.")
    return READERS[kind](Path(path).expanduser(), pictures, text)
