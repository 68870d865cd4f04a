"""The model folder: all that training produces and all that use needs, in one place.

    model.json           format, name, architecture, preprocessing, text rules, and the SHA-256 of the two files below
    weights.safetensors  the parameters of both towers and the logit scale
    tokenizer.json       the vocabulary
    calibration.json     what its cosines mean, once that has been fitted
    training-pictures.safetensors   hashes of the pictures that it has learned from, where Lexel trained it
    README.md            the model card

The hashes tie the pieces together: a folder whose weights or tokenizer come from elsewhere is refused. An exported
folder holds onnx/ in place of the weights (see `exported`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from lexel.architectures.config import CLIPConfig
from lexel.calibration import Calibration
from lexel.checkpoints.model_folder.exported import TOWERS, read_exported
from lexel.checkpoints.model_folder.pieces import check_piece, read_description
from lexel.checkpoints.model_folder.soundness import check_sizes, check_weights
from lexel.checkpoints.model_folder.training_pictures import TrainingPictures, read_training_pictures
from lexel.config import Config
from lexel.errors import ModelError, UsageError, did_you_mean
from lexel.files import check_replaceable, new_folder, write_atomically
from lexel.identity import sha256_of
from lexel.images import Preprocessing
from lexel.progress import say
from lexel.safetensors_bytes import safetensors_bytes
from lexel.tokenizer import TextRules, Tokenizer

FORMAT = 1
MANIFEST, WEIGHTS, TOKENIZER, CARD = "model.json", "weights.safetensors", "tokenizer.json", "README.md"
CALIBRATION, TRAINING_PICTURES = "calibration.json", "training-pictures.safetensors"


class Manifest(Config):
    """What `model.json` says."""

    format: int = FORMAT
    name: str
    architecture: CLIPConfig
    preprocessing: Preprocessing
    text_rules: TextRules = TextRules()
    sha256: dict[str, str]  # of the weights, or of what describes the exported towers, and of the tokenizer


class _FittedCalibration(Config):
    """What `calibration.json` says."""

    model: str  # fingerprint in float32
    calibration: Calibration


@dataclass(frozen=True)
class ModelFolder:
    """A checked model folder; nothing heavy is loaded yet."""

    path: Path
    manifest: Manifest

    def tokenizer(self) -> Tokenizer:
        """The tokenizer. Raises ModelError when its file is damaged."""
        text = self.manifest.architecture.text
        return Tokenizer.load(
            self.path / TOKENIZER,
            text.context_length,
            text.end_of_text,
            pad_id=text.pad_id if text.sees_padding else None,
            rules=self.manifest.text_rules,
            fill_id=text.pad_id or 0,
        )

    def weights(self) -> dict[str, np.ndarray]:
        """The parameters by name. Raises ModelError when the file is damaged or a number in it is not finite."""
        try:
            weights = load_file(self.path / WEIGHTS)
        except (SafetensorError, OSError, ValueError) as error:
            raise ModelError(f"{self.path / WEIGHTS} cannot be read: {error}") from None
        check_weights(weights, str(self.path / WEIGHTS))
        return weights

    @property
    def is_exported(self) -> bool:
        """Whether it holds exported towers in place of weights."""
        return TOWERS in self.manifest.sha256

    def calibration(self) -> Calibration | None:
        """What the model's cosines mean, if that has been fitted. Raises ModelError when the file is damaged."""
        path = self.path / CALIBRATION
        if not path.is_file():
            return None
        try:
            found = _FittedCalibration.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ModelError(
                f"{path} is no calibration: {error.errors()[0]['msg']}. Fit it again: lexel models calibrate."
            ) from None
        if found.model != self.fingerprint("float32"):
            raise ModelError(f"{path} was fitted for another model. Fit it again: lexel models calibrate.")
        return found.calibration

    def save_calibration(self, calibration: Calibration) -> None:
        """Keep what the model's cosines mean. The fingerprint stays: embeddings do not change by it."""
        fitted = _FittedCalibration(model=self.fingerprint("float32"), calibration=calibration)
        write_atomically(self.path / CALIBRATION, fitted.model_dump_json(indent=2) + "\n")

    def training_pictures(self) -> TrainingPictures | None:
        """The pictures that the model has learned from, where that is known.

        A model works without them, so a file that is damaged, of another format or of another model counts as none,
        and the user is warned.
        """
        path = self.path / TRAINING_PICTURES
        if not path.is_file():
            return None
        hashes = read_exported(self.path).made_from if self.is_exported else self.manifest.sha256
        try:
            return read_training_pictures(path, hashes[WEIGHTS])
        except ModelError as error:
            say(f"Warning: which pictures the model has learned from is not known. {error}")
            return None

    def fingerprint(self, number_format: str) -> str:
        """Twelve hex digits that change with weights, tokenizer, architecture, preprocessing or number format.

        An exported folder has those of the folder that it was made from.
        """
        hashes = read_exported(self.path).made_from if self.is_exported else self.manifest.sha256
        return fingerprint(self.manifest, hashes, number_format)


def fingerprint(manifest: Manifest, hashes: Mapping[str, str], number_format: str) -> str:
    """See ModelFolder.fingerprint; `hashes` are the SHA-256 of weights and tokenizer as a model folder holds them."""
    # Without the defaults, so that a field that a later Lexel adds does not make another model of this one.
    settings = manifest.model_dump(
        mode="json", include={"architecture", "preprocessing", "text_rules"}, exclude_defaults=True
    )
    identity = [dict(hashes), settings, number_format]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def save_model_folder(
    path: Path,
    *,
    name: str,
    architecture: CLIPConfig,
    preprocessing: Preprocessing,
    weights: Mapping[str, np.ndarray],
    tokenizer: Tokenizer,
    card: str,
    calibration: Calibration | None = None,
    training_pictures: TrainingPictures | None = None,
) -> None:
    """Write a model folder whole, or leave what was at `path` as it was.

    Raises OSError (a full disk, say), and UsageError where something else is at `path`.
    """
    check_replaceable(path, MANIFEST)
    with new_folder(path) as folder:
        (folder / WEIGHTS).write_bytes(safetensors_bytes(weights))
        (folder / TOKENIZER).write_text(tokenizer.to_json(), encoding="utf-8")
        (folder / CARD).write_text(card, encoding="utf-8")
        manifest = Manifest(
            name=name,
            architecture=architecture,
            preprocessing=preprocessing,
            text_rules=tokenizer.rules,
            sha256={piece: sha256_of(folder / piece) for piece in (WEIGHTS, TOKENIZER)},
        )
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if calibration is not None:
            ModelFolder(folder, manifest).save_calibration(calibration)
        if training_pictures is not None:
            training_pictures.save(folder / TRAINING_PICTURES, manifest.sha256[WEIGHTS])


def open_model_folder(path: Path) -> ModelFolder:
    """Check that the folder is whole and its pieces belong together. Raises UsageError or ModelError."""
    if not (path / MANIFEST).is_file():
        raise UsageError(f"{path} is no model folder: {_why_no_model(path)}")
    manifest = _read_manifest(path / MANIFEST)
    for piece, expected in manifest.sha256.items():
        check_piece(path, piece, expected, "saved")
    return ModelFolder(path, manifest)


def _why_no_model(path: Path) -> str:
    if (path / "model" / MANIFEST).is_file():
        return f'it holds a finished run. Did you mean "{path / "model"}"?'
    if (path / "recipe.json").is_file():
        return "it holds a run that has not finished. The same lexel train command goes on with it."
    if path.is_dir():
        return (
            f"it has no {MANIFEST}. A run leaves its model at RUN/model when it has finished; "
            "lexel models convert makes one of another library's."
        )
    if path.exists():
        return "it is a file. Give the folder that holds it."
    siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir()] if path.parent.is_dir() else []
    return f"there is no such folder.{did_you_mean(path.name, siblings)} A run leaves its model at RUN/model."


def _read_manifest(path: Path) -> Manifest:
    manifest = read_description(path, Manifest, FORMAT, "a model")
    check_sizes(manifest.architecture, str(path))
    towers = TOWERS if TOWERS in manifest.sha256 else WEIGHTS
    if missing := {towers, TOKENIZER} - manifest.sha256.keys():
        raise ModelError(f"{path} names no hash of {', '.join(sorted(missing))}. Copy the model folder again.")
    return manifest
