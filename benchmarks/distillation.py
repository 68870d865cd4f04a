"""Distillation: a small model with and without a teacher, on the same pictures and in the same number of steps.

    python benchmarks/distillation.py runs/everyday/model .data/remote_sensing_captions --output runs/distilled

The source has a train and a test split with captions. For each seed three students begin with random weights: one
learns from the captions alone, one from captions and TEACHER, one from TEACHER alone, without captions. Measured on the
test split: retrieval, with the teacher's own beside it, and how many pictures and texts a second each embeds. The same
command again goes on where it was cut off.
"""

import argparse
import shutil
import time
from pathlib import Path

import numpy as np

import lexel
from lexel.evaluation.evaluate import evaluate

METRICS = ("text_to_image/recall@1", "text_to_image/recall@10", "image_to_text/recall@1", "image_to_text/recall@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", nargs="?", default="runs/everyday/model")
    parser.add_argument("source", nargs="?", default=".data/remote_sensing_captions")
    parser.add_argument("--student", default="lexel-xs", help="an architecture of lexel models list")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("runs/distilled"))
    arguments = parser.parse_args()
    if missing := [path for path in (arguments.teacher, arguments.source) if not Path(path).exists()]:
        print(f"{missing[0]} is not there: nothing to measure.")
        return
    train, test = f"{arguments.source}/train", f"{arguments.source}/test"
    teacher = lexel.load(arguments.teacher)
    ways = {
        "captions alone": [f"model.architecture={arguments.student}"],
        "captions and teacher": [f"model.architecture={arguments.student}", f"distill.teacher={arguments.teacher}"],
        "teacher alone": [
            f"model.architecture={arguments.student}",
            f"distill.teacher={arguments.teacher}",
            f"model.text_weights={arguments.teacher}",
            "freeze.text=true",
        ],
    }
    pictures = without_captions(train, arguments.output / "pictures")
    found: dict[str, list[np.ndarray]] = {way: [] for way in ways}
    speeds: dict[str, tuple[float, float]] = {"teacher": speed(teacher, test)}
    seconds: dict[str, float] = {}
    for seed in range(arguments.seeds):
        for way, changes in ways.items():
            shared = [f"steps={arguments.steps}", f"seed={seed}", "batch_size=128", "data.workers=0"]
            source = str(pictures) if way == "teacher alone" else train
            run = lexel.train(
                source,
                arguments.output / f"{way.replace(' ', '-')}-{seed}",
                changes=[*changes, *shared, "evaluation.times=1"],
            )
            student = lexel.load(run.model)
            found[way].append(quality(student, test))
            seconds[way] = run.training_seconds
            speeds.setdefault(way, speed(student, test))
    print(f"\n{test}, recall in %, mean ± standard deviation over {arguments.seeds} seeds")
    print(f"{'':<22}" + "".join(f"{name:>26}" for name in METRICS) + f"{'pictures/s':>12}{'texts/s':>10}{'s':>7}")
    rows = {"teacher": [quality(teacher, test)], **found}
    for way, values in rows.items():
        mean, deviation = np.mean(values, 0), np.std(values, 0)
        cells = "".join(f"{f'{m:.1f} ± {d:.1f}':>26}" for m, d in zip(mean, deviation, strict=True))
        print(f"{way:<22}{cells}{speeds[way][0]:>12,.0f}{speeds[way][1]:>10,.0f}{seconds.get(way, 0):>7,.0f}")


def without_captions(source: str, folder: Path) -> Path:
    """Copies of the pictures, of which nothing is said there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pair in enumerate(lexel.read_source(source).pairs):
        path = getattr(pair.picture, "path", None)
        target = folder / f"{number:06}{path.suffix if path else '.png'}"
        if target.exists():
            continue
        if path:
            shutil.copyfile(path, target)
        else:
            pair.picture.load().save(target)
    return folder


def quality(encoder: lexel.Encoder, source: str) -> np.ndarray:
    metrics = evaluate(encoder, source, tasks=["retrieval"]).metrics()
    return np.array([100 * metrics[f"retrieval/{name}"] for name in METRICS])


def speed(encoder: lexel.Encoder, source: str) -> tuple[float, float]:
    """Pictures and texts a second, decoding included: the median of three times."""
    pairs = lexel.read_source(source).pairs
    pictures, texts = [pair.picture for pair in pairs], [text for pair in pairs for text in pair.captions]
    encoder.embed_images(pictures[:32]), encoder.embed_texts(texts[:32])
    return len(pictures) / median(lambda: encoder.embed_images(pictures)), len(texts) / median(
        lambda: encoder.embed_texts(texts)
    )


def median(work) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()  # of this process: other work on the machine does not count
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


if __name__ == "__main__":
    main()
