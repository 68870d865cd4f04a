"""JPEG files to the square that a tower sees: ways to decode less than the whole picture, and what they change.

    python benchmarks/decode.py [PICTURE.jpg …] [--rounds 5]

Without pictures, made-up ones of 640×480 and 12 megapixels. Each way resizes to 224 pixels with Pillow's bicubic filter
and crops; prints the milliseconds of one core, medians over the rounds, and the difference to decoding all, in grey
levels: mean, 99th percentile, largest. simplejpeg and OpenCV are measured where they can be imported.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL
from encode import make_pictures
from PIL import Image

from lexel.images import Preprocessing, fit

PREPROCESSING = Preprocessing()
SIZE = PREPROCESSING.image_size
Way = Callable[[bytes], np.ndarray]


def pillow(times: float | None = None, gap: float | None = None) -> Way:
    """Draft to this many times the size; or resize in two steps, the first to `gap` times the size."""

    def way(content: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(content))
        if times:
            image.draft(None, (int(times * SIZE), int(times * SIZE)))
        if gap:
            shortest = min(image.size)
            whole = (SIZE * image.width // shortest, SIZE * image.height // shortest)
            image = image.resize(whole, Image.Resampling.BICUBIC, reducing_gap=gap)
        return fit(image.convert("RGB"), PREPROCESSING)

    return way


def simplejpeg_scaled(times: float) -> Way:
    import simplejpeg

    def way(content: bytes) -> np.ndarray:
        least = int(times * SIZE)
        pixels = simplejpeg.decode_jpeg(content, "RGB", min_height=least, min_width=least, min_factor=1)
        return fit(Image.fromarray(pixels), PREPROCESSING)

    return way


def opencv_reduced(times: float) -> Way:
    import cv2

    cv2.setNumThreads(1)
    flags = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}

    def way(content: bytes) -> np.ndarray:
        shortest = min(Image.open(io.BytesIO(content)).size)
        reduction = max((factor for factor in flags if shortest // factor >= times * SIZE), default=1)
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags[reduction])
        return fit(Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1])), PREPROCESSING)

    return way


def ways() -> dict[str, Way]:
    found: dict[str, Way] = {"Pillow, whole": pillow()}
    found |= {f"Pillow, reducing_gap {gap}": pillow(gap=gap) for gap in (2, 3)}
    found |= {f"Pillow, draft ≥ {times}×": pillow(times) for times in (1, 2, 4)}
    for name, make in (("simplejpeg", simplejpeg_scaled), ("OpenCV", opencv_reduced)):
        try:
            found |= {f"{name}, scaled ≥ {times}×": make(times) for times in (1, 2)}
        except ImportError:
            print(f"{name} is skipped: it is not installed here.")
    return found


def measure(contents: list[bytes], rounds: int) -> None:
    candidates = ways()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, way in candidates.items():
            start = time.process_time()
            for content in contents:
                way(content)
            seconds[name].append((time.process_time() - start) / len(contents))
    whole = [candidates["Pillow, whole"](content).astype(float) for content in contents]
    print(f"{'':<28}{'ms':>8}{'mean':>8}{'99 %':>8}{'largest':>9}")
    for name, way in candidates.items():
        apart = np.stack([np.abs(way(content) - pixels) for content, pixels in zip(contents, whole, strict=True)])
        numbers = f"{apart.mean():>8.2f}{np.percentile(apart, 99):>8.0f}{apart.max():>9.0f}"
        print(f"  {name:<26}{1e3 * statistics.median(seconds[name]):>8.1f}{numbers}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"Pillow {PIL.__version__}")
    if arguments.pictures:
        measure([path.read_bytes() for path in arguments.pictures], arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, count, width, height in (("640×480", 16, 640, 480), ("12 megapixels", 4, 4000, 3000)):
            make_pictures(Path(folder) / name, count, width, height)
            print(f"\n{name}, made up")
            measure([path.read_bytes() for path in sorted((Path(folder) / name).iterdir())], arguments.rounds)


if __name__ == "__main__":
    main()
