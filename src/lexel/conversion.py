"""From one kind of model to another: other libraries' formats, and ONNX for machines without torch."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from lexel.architectures.config import Activation
from lexel.batches import ceil_div
from lexel.checkpoints.formats.write import to_lexel, write_huggingface, write_open_clip
from lexel.checkpoints.model_folder.exported import NUMBER_FORMATS, NumberFormat
from lexel.checkpoints.model_folder.folder import MANIFEST, open_model_folder
from lexel.checkpoints.onnx.export import ExportReport, ExportSample, export_onnx
from lexel.data.pairs import Source
from lexel.encoder import Encoder
from lexel.errors import BadImageError, UsageError, did_you_mean
from lexel.files import check_replaceable, make_folder
from lexel.loading import load, read_model
from lexel.progress import say, track

Format = Literal["lexel", "open_clip", "huggingface"]
WRITERS = {"lexel": to_lexel, "open_clip": write_open_clip, "huggingface": write_huggingface}
MAX_JUDGED_IMAGES = 1000  # of an export


def convert(
    model: str | Path,
    out: str | Path,
    to: Format = "lexel",
    *,
    architecture: str | None = None,
    activation: Activation | None = None,
    tokenizer: str | Path | None = None,
) -> Path:
    """Write `model`, of any kind that `lexel.load` takes, as a folder `out` of another format; returns `out`.

    Every weight keeps its bits. Raises UsageError where the other format cannot hold the model.

    Example:
        lexel.convert("runs/shop/model", "shop-open-clip", to="open_clip")
    """
    found = read_model(model, architecture=architecture, activation=activation, tokenizer=tokenizer)
    for note in (*found.warnings, *found.notes):
        say(note)
    WRITERS[to](found, Path(out))
    return Path(out)


def export(
    model: str | Path,
    out: str | Path,
    formats: Sequence[str] = ("float32",),
    images: Source | None = None,
    *,
    architecture: str | None = None,
    activation: Activation | None = None,
    tokenizer: str | Path | None = None,
) -> ExportReport:
    """Write `model` as a folder `out` that holds its towers as ONNX and needs no torch.

    `formats` are of "float32", "float16" and "int8". `images` are real ones, with captions where there are any, on
    which the export is compared with torch; int8 is offered only with them. Raises UsageError, and ModelError when the
    export does not give what torch gives.

    Example:
        lexel.export("runs/shop/model", "shop-onnx", ["float32", "int8"], lexel.read_source("shop.csv"))
    """
    chosen = _number_formats(formats)
    out = Path(out)
    check_replaceable(out, MANIFEST)
    make_folder(out.parent)
    path = Path(model).expanduser()
    with TemporaryDirectory(prefix=".convert-", dir=out.parent) as scratch:
        if not (path / MANIFEST).is_file():
            path = convert(
                model, Path(scratch) / "model", architecture=architecture, activation=activation, tokenizer=tokenizer
            )
        folder = open_model_folder(path)
        if folder.is_exported:
            raise UsageError(f"{path} is exported already. Give the folder that it was made from.")
        encoder = load(path, device="cpu")
        sample = None if images is None else _sample(images, encoder)
        return export_onnx(encoder.clip, folder, out, formats=chosen, sample=sample, on_progress=say)


def _number_formats(formats: Sequence[str]) -> list[NumberFormat]:
    for name in formats:
        if name not in NUMBER_FORMATS:
            raise UsageError(
                f'"{name}" is no number format of an export: {", ".join(NUMBER_FORMATS)}.'
                f"{did_you_mean(name, NUMBER_FORMATS)}"
            )
    return [name for name in NUMBER_FORMATS if name in formats]


def _sample(source: Source, encoder: Encoder) -> ExportSample:
    """The source's images as the towers see them, evenly spread, with their first captions."""
    every = ceil_div(len(source.pairs), MAX_JUDGED_IMAGES)
    pixels, captions = [], []
    for pair in track(source.pairs[::every], "Reading images"):
        try:
            pixels.append(encoder.preprocess(pair.picture))
        except BadImageError:
            continue
        captions += pair.captions[:1]
    if not pixels:
        raise UsageError(f"{source.name} has no image that can be read.")
    return ExportSample(np.stack(pixels), captions if len(captions) == len(pixels) else ())
