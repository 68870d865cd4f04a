"""What an exported model folder holds in place of weights: both towers as ONNX, in one or more number formats.

    model.json                   as in every model folder; its hashes name tokenizer.json and onnx/towers.json
    onnx/towers.json             this module's: what was exported, from which weights, and how near it is to them
    onnx/image.float32.onnx      and onnx/text.float32.onnx: a pair of files for each number format
    tokenizer.json, README.md

model.json holds the hash of towers.json, and towers.json those of the graphs, so that all belong together and only the
graphs that are run are hashed, when they first are: a search by words need not read the image tower.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lexel.checkpoints.model_folder.pieces import check_piece, check_there, read_description
from lexel.config import Config
from lexel.errors import ModelError, UsageError

FORMAT = 1
FOLDER = "onnx"
TOWERS = "onnx/towers.json"

NumberFormat = Literal["float32", "float16", "int8"]
NUMBER_FORMATS: tuple[NumberFormat, ...] = ("float32", "float16", "int8")


class Agreement(Config):
    """How near the unit vectors of an export are to those of torch in float32."""

    images: int
    texts: int
    real: bool  # the images and texts are the user's own, not random ones
    image_cosine: float  # mean
    image_cosine_least: float
    text_cosine: float  # mean
    text_cosine_least: float
    largest_difference: float  # of any component
    recall_of: Literal["captions", "neighbours"] | None = None
    recall: float | None = None  # 0..1
    recall_float32: float | None = None


class Graphs(Config):
    """The two towers in one number format; names are relative to the folder `onnx`."""

    image: str
    text: str
    sha256: dict[str, str]  # of each file, those of large weights included
    agreement: Agreement


class Exported(Config):
    """What `towers.json` says."""

    format: int = FORMAT
    made_from: dict[str, str]  # SHA-256 of the weights and the tokenizer of the original folder
    logit_scale: float  # the factor, not its logarithm
    logit_bias: float | None
    towers: dict[NumberFormat, Graphs]


@dataclass(frozen=True, slots=True)
class ExportedTowers:
    """Two ONNX files and what a runtime must know besides."""

    folder: Path
    graphs: Graphs
    logit_scale: float
    logit_bias: float | None
    number_format: str  # for the fingerprint

    def file(self, tower: Literal["image", "text"]) -> Path:
        """The file of one tower, checked now. Raises ModelError when it is damaged."""
        chosen, other = self.graphs.image, self.graphs.text
        if tower == "text":
            chosen, other = other, chosen
        for name, expected in self.graphs.sha256.items():
            if name != other and not name.startswith(f"{other}."):  # the other's weights
                check_piece(self.folder, f"{FOLDER}/{name}", expected, "exported")
        return self.folder / FOLDER / chosen


def number_format_of(wanted: NumberFormat, graphs: Graphs) -> str:
    """What the fingerprint says of these graphs.

    In float32 ONNX gives what torch gives to within 1e-5, and float16 says how weights were rounded: these names mean
    the same everywhere. What int8 gives depends on the pictures that it was calibrated with, so its name has its hash.
    """
    if wanted != "int8":
        return wanted
    content = json.dumps(graphs.sha256, sort_keys=True)
    return f"int8-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def read_exported(folder: Path) -> Exported:
    """What was exported into this model folder. Raises ModelError when its description is missing or damaged."""
    if not (folder / TOWERS).is_file():
        raise ModelError(f"{folder} is incomplete: {TOWERS} is missing. Copy the whole folder again.")
    return read_description(folder / TOWERS, Exported, FORMAT, "exported towers")


def write_exported(folder: Path, exported: Exported) -> None:
    """Write the description into a model folder that is being made."""
    (folder / TOWERS).write_text(exported.model_dump_json(indent=2) + "\n", encoding="utf-8")


def open_towers(folder: Path, wanted: NumberFormat | None = None) -> ExportedTowers:
    """The two files of one number format; the default is float32, or else the nearest to it that is there.

    Raises UsageError when the model was exported without that format and ModelError when a file is missing.
    """
    exported = read_exported(folder)
    chosen = wanted or next((name for name in NUMBER_FORMATS if name in exported.towers), None)
    if chosen is None or chosen not in exported.towers:
        raise UsageError(
            f"{folder} was exported without {wanted or 'any number format'}; "
            f"it has: {', '.join(exported.towers) or 'none'}.\n"
            "  Export the original model again, with that number format."
        )
    graphs = exported.towers[chosen]
    for name in graphs.sha256:
        check_there(folder, f"{FOLDER}/{name}")
    return ExportedTowers(
        folder=folder,
        graphs=graphs,
        logit_scale=exported.logit_scale,
        logit_bias=exported.logit_bias,
        number_format=number_format_of(chosen, graphs),
    )
