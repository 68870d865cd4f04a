"""Published layouts to those that are read: arrays to Arrow files, folders to a `metadata.csv`, COCO's as it is."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from lexel.data.named.catalog import NamedDataset
from lexel.data.readers.paths import has_image_extension
from lexel.data.readers.splits import split_name
from lexel.errors import DataError
from lexel.extras import missing_library

ROWS_IN_BATCH = 1000
CIFAR_SIDE = 32
_IDX = {"train": "train", "test": "t10k"}  # split → how MNIST's files begin

Labelled = Iterator[tuple[Image.Image, str]]


def convert(dataset: NamedDataset, unpacked: Path) -> None:
    """Make what was unpacked a source: write its tables beside it, and remove what they replace. Raises DataError."""
    CONVERTERS[dataset.layout](dataset, unpacked)


def _cifar(dataset: NamedDataset, folder: Path) -> None:
    root = folder / dataset.root
    coarse = (root / "fine_label_names.txt").is_file()  # CIFAR-100 has a coarse label before the fine one
    names = _lines(root / ("fine_label_names.txt" if coarse else "batches.meta.txt"))
    parts = {
        "train": sorted(root.glob("train.bin" if coarse else "data_batch_*.bin")),
        "test": sorted(root.glob("test*.bin")),
    }
    for split, files in parts.items():
        if not files:
            raise DataError(f"{root} has no pictures of the split {split}.")
        _write_arrow(folder / f"{split}.arrow", _of_cifar(files, names, label_bytes=2 if coarse else 1))
        for file in files:
            file.unlink()


def _of_cifar(files: list[Path], names: list[str], label_bytes: int) -> Labelled:
    width = label_bytes + 3 * CIFAR_SIDE**2
    for file in files:
        content = np.fromfile(file, np.uint8)
        if not len(content) or len(content) % width:
            raise DataError(f"{file} is cut off: {len(content):,} bytes are not a multiple of {width:,}.")
        for row in content.reshape(-1, width):
            pixels = row[label_bytes:].reshape(3, CIFAR_SIDE, CIFAR_SIDE).transpose(1, 2, 0)
            yield Image.fromarray(pixels), _class(names, int(row[label_bytes - 1]), file)


def _idx(dataset: NamedDataset, folder: Path) -> None:
    names = [dataset.labels.get(str(number), str(number)) for number in range(10)]
    for split, begin in _IDX.items():
        images, labels = folder / f"{begin}-images-idx3-ubyte", folder / f"{begin}-labels-idx1-ubyte"
        _write_arrow(folder / f"{split}.arrow", _of_idx(images, labels, names))
        images.unlink()
        labels.unlink()


def _of_idx(images: Path, labels: Path, names: list[str]) -> Labelled:
    pictures, numbers = _read_idx(images, 3), _read_idx(labels, 1)
    if len(pictures) != len(numbers):
        raise DataError(f"{images} has {len(pictures):,} pictures and {labels.name} {len(numbers):,} labels.")
    for picture, number in zip(pictures, numbers, strict=True):
        yield Image.fromarray(picture), _class(names, int(number), labels)


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An array of bytes: two zeros, 8 for bytes, the number of dimensions, each of them in four bytes, the content."""
    content = path.read_bytes() if path.is_file() else b""
    head = 4 + 4 * dimensions
    if len(content) < head or content[:4] != bytes([0, 0, 8, dimensions]):
        raise DataError(f"{path} is not an IDX file of {dimensions} dimensions.")
    shape = [int(size) for size in np.frombuffer(content[4:head], ">u4")]
    if int(np.prod(shape, dtype=object)) != len(content) - head:
        raise DataError(f"{path} is cut off: it should hold {' × '.join(map(str, shape))} bytes.")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _class(names: list[str], number: int, file: Path) -> str:
    if number >= len(names):
        raise DataError(f"{file} has a label {number}, of {len(names)} classes.")
    return names[number].replace("_", " ")


def _write_arrow(path: Path, pictures: Labelled) -> None:
    """An Arrow file with a PNG and a label in each row, which is mapped into memory when it is read."""
    try:
        import pyarrow as arrow
    except ImportError as error:
        raise missing_library(f"Writing {path.name}", "pyarrow", error) from None
    image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    schema = arrow.schema([("image", image), ("label", arrow.string())])
    with arrow.OSFile(str(path), "wb") as file, arrow.ipc.new_file(file, schema) as writer:
        rows: list[dict[str, object]] = []
        for number, (picture, label) in enumerate(pictures):
            held = io.BytesIO()
            picture.save(held, "PNG", compress_level=1)
            rows.append({"image": {"bytes": held.getvalue(), "path": f"{number:06d}.png"}, "label": label})
            if len(rows) == ROWS_IN_BATCH:
                writer.write_batch(arrow.RecordBatch.from_pylist(rows, schema))
                rows = []
        if rows:
            writer.write_batch(arrow.RecordBatch.from_pylist(rows, schema))


def _class_folders(dataset: NamedDataset, folder: Path) -> None:
    """CLASS/picture, or SPLIT/CLASS/picture."""
    rows: list[tuple[str, str, str]] = []
    for path in sorted((folder / dataset.root).rglob("*")):
        parts = path.relative_to(folder / dataset.root).parts
        if len(parts) >= 2 and has_image_extension(path.name) and path.is_file():
            split = split_name(parts[0]) if len(parts) > 2 else ""
            rows.append((path.relative_to(folder).as_posix(), _label(dataset, parts[-2]), split))
    _write_metadata(folder, rows)


def _listed_images(dataset: NamedDataset, folder: Path) -> None:
    """Pictures in lists of splits, without extension: `apple_pie/1005649`, or `Abyssinian_100 1 1 1`."""
    rows: list[tuple[str, str, str]] = []
    for split, listed in dataset.lists.items():
        for line in _lines(folder / listed):
            name = line.split()[0]
            path = folder / dataset.root / f"{name}.jpg"
            label = name.rpartition("/")[0] or name.rpartition("_")[0]
            rows.append((path.relative_to(folder).as_posix(), _label(dataset, label), split))
    _write_metadata(folder, rows)


def _label(dataset: NamedDataset, name: str) -> str:
    return dataset.labels.get(name, name.replace("_", " "))


def _write_metadata(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    if not rows:
        raise DataError(f"{folder} has no pictures in the expected folders.")
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file_name", "label", "split"), *rows])


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path} is missing: this is not the expected archive.")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _as_it_is(dataset: NamedDataset, folder: Path) -> None:
    """COCO's layout is read as published."""


CONVERTERS: dict[str, Callable[[NamedDataset, Path], None]] = {
    "cifar": _cifar,
    "idx": _idx,
    "class folders": _class_folders,
    "listed images": _listed_images,
    "coco": _as_it_is,
}
