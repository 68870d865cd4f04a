"""Export to ONNX: a model folder that is used, searched and served on a machine without torch.

Every graph is compared with torch before it is offered, on real images where there are any; float32 must be equal, and
8 bits must stay within bounds. What was measured is kept in the folder.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch

from lexel.checkpoints.model_folder.exported import (
    FOLDER,
    NUMBER_FORMATS,
    TOWERS,
    Agreement,
    Exported,
    Graphs,
    NumberFormat,
    write_exported,
)
from lexel.checkpoints.model_folder.folder import (
    CALIBRATION,
    CARD,
    MANIFEST,
    TRAINING_PICTURES,
    WEIGHTS,
    ModelFolder,
)
from lexel.checkpoints.onnx.agreement import Inputs, TowerFunction, compare, why_refused
from lexel.checkpoints.onnx.graph import files_of, needs, quantise, round_weights, write_graph
from lexel.errors import ModelError, UsageError
from lexel.files import check_replaceable, new_folder
from lexel.identity import sha256_of
from lexel.models.clip import CLIP
from lexel.terminal import counted

MAX_CALIBRATION_IMAGES = 128  # that ranges of 8 bits are set with; none of them is judged on
RANDOM_IMAGES = 8  # drawn where there are no real ones, and also where there are


@dataclass(frozen=True)
class ExportSample:
    """Real images, preprocessed, and one caption of each or none: what number formats are judged on."""

    pixels: np.ndarray  # (N, 3, H, W) float32
    captions: Sequence[str] = ()  # N, or none

    def __post_init__(self) -> None:
        if len(self.captions) not in (0, len(self.pixels)):
            captions, images = counted(len(self.captions), "caption"), counted(len(self.pixels), "image")
            raise UsageError(f"Give one caption for each image, not {captions} for {images}.")


@dataclass(frozen=True)
class ExportReport:
    """What was written, how near each number format is to torch, and what was left out and why."""

    folder: Path
    written: dict[NumberFormat, Agreement] = field(default_factory=dict)
    left_out: dict[NumberFormat, str] = field(default_factory=dict)
    megabytes: dict[NumberFormat, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For people: a line for each number format."""
        kept = [
            f"{name}: {self.megabytes[name]:,.0f} MB, {describe(agreement)}" for name, agreement in self.written.items()
        ]
        return kept + [f"{name}: left out, because {reason}" for name, reason in self.left_out.items()]


@dataclass(frozen=True)
class Check:
    """What graphs are judged on, and what torch gives for it."""

    inputs: Inputs
    images: np.ndarray  # (N, E) unit vectors
    texts: np.ndarray


def describe(agreement: Agreement) -> str:
    """The numbers of an agreement in one line."""
    parts = [
        f"cosine to torch float32 {agreement.image_cosine:.6f} (images, least {agreement.image_cosine_least:.6f}), "
        f"{agreement.text_cosine:.6f} (texts, least {agreement.text_cosine_least:.6f})",
        f"largest difference {agreement.largest_difference:.1e}",
    ]
    if agreement.recall is not None and agreement.recall_float32 is not None:
        lost = 100 * (agreement.recall_float32 - agreement.recall)
        parts.append(f"recall of {agreement.recall_of} {100 * agreement.recall:.2f} % (float32 minus {lost:.2f})")
    parts.append(f"{agreement.images} {'real' if agreement.real else 'random'} images")
    return ", ".join(parts)


def export_onnx(
    clip: CLIP,
    source: ModelFolder,
    out: Path,
    *,
    formats: Sequence[NumberFormat] = ("float32",),
    sample: ExportSample | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> ExportReport:
    """Write a model folder at `out` that holds the towers of `clip`, made from `source`, as ONNX.

    `clip` is on the CPU and in float32. A number format that is too far from float32 is left out, and the report says
    why; int8 needs a sample of 100 images and those that it is calibrated with. `on_progress` is given a line at each
    step. Raises UsageError without the extra `export` or a sample, and ModelError when a graph does not give
    what torch does.
    """
    needs("onnx", "onnxscript")
    if "int8" in formats:
        needs("nncf")
    if "int8" in formats and sample is None:
        raise UsageError("int8 is offered only after a check on real images: give some (a few hundred, with captions).")
    check_replaceable(out, MANIFEST)
    seen, *judged = _inputs(source, sample)
    clip = clip.eval()
    towers = _torch(clip.image), _torch(clip.text)
    checks = [Check(inputs, inputs.image_vectors(towers[0]), inputs.text_vectors(towers[1])) for inputs in judged]
    report = ExportReport(out)
    with new_folder(out) as folder, TemporaryDirectory(prefix=".export-", dir=folder.parent) as scratch:
        (folder / FOLDER).mkdir()
        on_progress("Writing the graphs")
        float32 = _write_float32(clip, seen, Path(scratch))
        graphs: dict[NumberFormat, Graphs] = {}
        for wanted in NUMBER_FORMATS:
            if wanted not in ("float32", *formats):  # the others are made of float32
                continue
            on_progress(f"Checking {wanted}")
            made = float32 if wanted == "float32" else _make(wanted, float32, Path(scratch), seen)
            agreement = _agreement(wanted, made, checks)
            reason = why_refused(wanted, agreement)
            if reason and wanted == "float32":
                raise ModelError(f"{source.path} cannot be exported: as ONNX {reason}.")
            if reason or agreement is None:
                report.left_out[wanted] = reason or ""
            elif wanted in formats:
                graphs[wanted] = _keep(made, folder / FOLDER, agreement)
                report.written[wanted] = agreement
                report.megabytes[wanted] = _megabytes(folder / FOLDER / name for name in graphs[wanted].sha256)
        if not graphs:
            raise ModelError(f"Nothing of {source.path} can be exported. " + "; ".join(report.lines()))
        _write_folder(folder, clip, source, graphs, report)
    return report


def _inputs(source: ModelFolder, sample: ExportSample | None) -> list[Inputs]:
    """What graphs are traced and calibrated with, then what they are judged on: real ones first where there are any."""
    architecture = source.manifest.architecture
    generator = np.random.default_rng(0)
    size = architecture.image.image_size
    drawn = generator.normal(size=(RANDOM_IMAGES, 3, size, size)).astype(np.float32)
    rows = list(_random_rows(generator, source))
    random = Inputs(drawn, rows, real=False)
    if sample is None:
        return [random, random]
    calibrating = min(MAX_CALIBRATION_IMAGES, len(sample.pixels) // 3)
    pixels = np.ascontiguousarray(sample.pixels, np.float32)
    tokenizer = source.tokenizer()
    captions = [tokenizer([caption]) for caption in sample.captions]
    captioned = bool(captions)
    return [
        Inputs(pixels[:calibrating], captions[:calibrating] or rows, real=True, captioned=captioned),
        Inputs(pixels[calibrating:], captions[calibrating:] or rows, real=True, captioned=captioned),
        random,
    ]


def _random_rows(generator: np.random.Generator, source: ModelFolder) -> Iterator[np.ndarray]:
    """Rows (1, T) of ids that mean nothing, of many lengths, each with its end-of-text."""
    text = source.manifest.architecture.text
    for length in np.linspace(2, text.context_length, 4 * RANDOM_IMAGES).astype(int):
        row = generator.integers(0, text.vocabulary_size, (1, length))
        row[:, -1] = text.end_of_text
        yield row.astype(np.int64)


def _write_float32(clip: CLIP, seen: Inputs, scratch: Path) -> list[Path]:
    """The graphs of the image and of the text tower, as torch writes them."""
    image, text = scratch / "image.float32.onnx", scratch / "text.float32.onnx"
    batch = torch.export.Dim("batch")
    pixels = torch.from_numpy(seen.pixels[:1]).repeat(2, 1, 1, 1)  # an axis of one would be taken for fixed
    write_graph(clip.image, pixels, {0: batch}, "pixels", image)
    config = clip.config.text
    ids = torch.full((2, min(8, config.context_length)), config.end_of_text, dtype=torch.int64)
    write_graph(clip.text, ids, {0: batch, 1: torch.export.Dim("length", max=config.context_length)}, "ids", text)
    return [image, text]


def _make(wanted: NumberFormat, float32: list[Path], scratch: Path, seen: Inputs) -> list[Path]:
    """The two graphs in another number format."""
    image, text = scratch / f"image.{wanted}.onnx", scratch / f"text.{wanted}.onnx"
    if wanted == "float16":
        round_weights(float32[0], image)
        round_weights(float32[1], text)
    else:
        quantise(float32[0], image, ({"pixels": pixels[None]} for pixels in seen.pixels))
        quantise(float32[1], text, ({"ids": row} for row in seen.rows))
    return [image, text]


def _agreement(wanted: NumberFormat, made: list[Path], checks: list[Check]) -> Agreement | None:
    """How near the graphs are to torch; in float32 on random inputs too, to which 8 bits are not calibrated.

    None where they give numbers that are not finite.
    """
    image, text = map(_onnx, made)
    agreements = []
    for check in checks if wanted == "float32" else checks[:1]:
        agreement = compare(check.inputs, (image, text), (check.images, check.texts))
        if agreement is None:
            return None
        agreements.append(agreement)
    largest = max(agreement.largest_difference for agreement in agreements)
    return agreements[0].model_copy(update={"largest_difference": largest})


def _keep(made: list[Path], folder: Path, agreement: Agreement) -> Graphs:
    """Copy the graphs into the model folder, under the names that they have: one may name the file of its weights."""
    names = [shutil.copyfile(file, folder / file.name).name for graph in made for file in files_of(graph)]
    return Graphs(
        image=made[0].name,
        text=made[1].name,
        sha256={name: sha256_of(folder / name) for name in names},
        agreement=agreement,
    )


def _megabytes(files: Iterable[Path]) -> float:
    return sum(file.stat().st_size for file in files) / 1e6


def _write_folder(
    folder: Path, clip: CLIP, source: ModelFolder, graphs: dict[NumberFormat, Graphs], report: ExportReport
) -> None:
    """All that is not a graph."""
    pieces = [piece for piece in source.manifest.sha256 if piece not in (WEIGHTS, TOWERS)]
    for piece in (*pieces, CALIBRATION, TRAINING_PICTURES):
        if (source.path / piece).is_file():
            shutil.copyfile(source.path / piece, folder / piece)
    bias = clip.logit_bias
    exported = Exported(
        made_from=source.manifest.sha256,
        logit_scale=float(clip.logit_scale.detach().exp()),
        logit_bias=None if bias is None else float(bias.detach()),
        towers=graphs,
    )
    write_exported(folder, exported)
    card = source.path / CARD
    before = card.read_text(encoding="utf-8").rstrip() if card.is_file() else f"# {source.manifest.name}"
    listed = "\n".join(f"- {line}" for line in report.lines())
    (folder / CARD).write_text(f"{before}\n\n## Exported to ONNX\n\n{listed}\n", encoding="utf-8")
    hashes = {piece: sha256_of(folder / piece) for piece in (*pieces, TOWERS)}
    manifest = source.manifest.model_copy(update={"sha256": hashes})
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _torch(tower: torch.nn.Module) -> TowerFunction:
    def vectors(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return tower(torch.from_numpy(values)).numpy()

    return vectors


def _onnx(path: Path) -> TowerFunction:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda values: np.asarray(session.run(None, {name: values})[0])
