"""Pictures to a ready uint8 batch: folders, tar shards, packed shards, decoded cache, beside what others do with them.

    python benchmarks/data.py [--rounds 3] [--workers 1,2] [--tasks TEXT] [--images-share 1] [--peer PYTHON]

Made-up JPEGs of 640×480 and 12 megapixels. Beside Lexel: a loop over WebDataset or files with Pillow (decode, random
crop, bicubic resize; no flip, no jitter) and, where --peer or LEXEL_PEER names its Python, open_clip's own pipeline,
both in torch's DataLoader. open_clip has no packing and no cache: it reads the original tar there. Each measurement is
a process of its own, rounds are interleaved, medians are printed: CPU milliseconds an image over all processes,
images/s by the clock, and the ratio of the CPU milliseconds to Lexel's. At the end it says for which share of a
training step the small model of `training_step.py` (64 pixels, batch 256) waits for its batch.
"""

import argparse
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

BATCH = 32
MORE = 8  # batches than are timed
HERE = Path(__file__).resolve()
TASKS = {  # name → (material, pixels, images in a measurement)
    "640×480 files": ("small", 224, 512),
    "12-megapixel files": ("large", 224, 64),
    "640×480 tar": ("small.tar", 224, 512),
    "packed, 256 → 224": ("packed256", 224, 1024),
    "packed, 128 → 112": ("packed128", 112, 2048),
    "decoded cache, 224": ("packed256+cache", 224, 1024),
    "decoded cache, 112": ("packed128+cache", 112, 2048),
}
WAITS = {"640×480 files → 64": "small", "packed, 128 → 64": "packed128"}
STEPS, WARM_UP_STEPS = 10, 2


def make_material(work: Path) -> None:
    from encode import make_pictures

    from lexel.data.packing import PackSettings, pack
    from lexel.data.readers import read_source

    for name, count, width, height in (("small", 128, 640, 480), ("large", 8, 4000, 3000)):
        make_pictures(work / name, count, width, height)
        files = sorted((work / name).iterdir())
        for file in files:
            file.with_suffix(".txt").write_text(f"a made-up picture, {file.stem}")
        with tarfile.open(work / f"{name}.tar", "w") as tar:
            for file in files:
                tar.add(file, file.name)
                tar.add(file.with_suffix(".txt"), f"{file.stem}.txt")
    for size in (256, 128):
        pack(str(work / "small"), read_source, work / f"packed{size}", PackSettings(size=size))


def consume(batches: Iterable, images: int) -> dict[str, float]:
    """Go through the batches; the first is not timed, as it comes with the start of the workers."""
    began_cpu, done, began, first = 0.0, 0, 0.0, 0
    for count in batches:
        if not began:
            began, began_cpu, first = time.perf_counter(), cpu_seconds(), count
        done += count
        if done >= images:  # within the loop: the workers end with it
            timed = max(1, done - first)
            return {"seconds": (time.perf_counter() - began) / timed, "cpu": (cpu_seconds() - began_cpu) / timed}
    raise RuntimeError(f"only {done} of {images} pictures came")


def cpu_seconds() -> float:
    """Processor time so far of this process and of those that it has started and that are there still."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ticks = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in ["self", *children])
    return sum(int(user) + int(system) for user, system in ticks) / os.sysconf("SC_CLK_TCK")


def batch_maker(material: str, work: Path, pixels: int, batch_size: int):
    from lexel.data.augment import Augmentation
    from lexel.data.decoded_cache import GB, DecodedCache
    from lexel.data.loader import BatchMaker, TrainingSource, order_of
    from lexel.data.readers import read_source
    from lexel.images import Preprocessing
    from lexel.tokenizer import Tokenizer

    name, _, cache = material.partition("+")
    pairs = read_source(str(work / name)).pairs
    sources = [TrainingSource(pairs, 1.0, ("a {}",))]
    return BatchMaker(
        sources=sources,
        order=order_of(sources, 0),
        batch_size=batch_size,
        tokenizer=Tokenizer.train(["a made-up picture"], 400, 16),
        preprocessing=Preprocessing(image_size=pixels),
        augmentation=Augmentation(),
        decoded=DecodedCache(GB, [len(pairs)]) if cache else None,
    )


def lexel(material: str, work: Path, pixels: int, images: int, workers: int) -> dict[str, float]:
    import torch

    from lexel.data.loader import load_batches

    torch.set_num_threads(1)
    maker = batch_maker(material, work, pixels, BATCH)
    if maker.decoded:  # the first epoch fills it
        for _ in load_batches(maker, start=0, stop=-(-maker.order.epoch_size // BATCH), workers=0):
            pass
    batches = load_batches(maker, start=0, stop=images // BATCH + MORE, workers=workers)
    return consume((len(batch.keys) for batch in batches), images)


def wait(material: str, work: Path, pixels: int, steps: int, workers: int) -> dict[str, float]:
    """The share of the time of training steps that is spent waiting for batches."""
    from training_step import BATCH as STEP_BATCH
    from training_step import TEXT, small_model

    from lexel.data.loader import load_batches
    from lexel.training.run.log import StepTimes
    from lexel.training.setup import deterministic

    maker = batch_maker(material, work, pixels, STEP_BATCH)
    words = {"vocabulary_size": maker.tokenizer.vocabulary_size, "end_of_text": maker.tokenizer.end_of_text}
    _, gradients, optimizer = small_model("bfloat16", text=TEXT.model_copy(update=words))
    waiting = total = 0.0
    batches = load_batches(maker, start=0, stop=steps, workers=workers)
    for step in range(steps):
        times = StepTimes()
        batch = next(batches)
        times.data_ready()
        with deterministic():
            loss = gradients(batch, step)
            optimizer.step(step, loss.loss, batch.keys)
        times.done()
        if step >= WARM_UP_STEPS:
            waiting, total = waiting + times.waiting, total + times.total
    return {"share": waiting / total, "pairs": STEP_BATCH * (steps - WARM_UP_STEPS) / total}


def loop(material: str, work: Path, pixels: int, images: int, workers: int) -> dict[str, float]:
    """WebDataset, or a list of files, and Pillow, as most people write it."""
    import numpy as np
    import torch
    import webdataset as wds
    from PIL import Image
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    torch.set_num_threads(1)

    def view(content: bytes) -> torch.Tensor:
        image = Image.open(io.BytesIO(content)).convert("RGB")
        side = int(min(image.size) * random.uniform(0.9, 1) ** 0.5)
        left, upper = random.randint(0, image.width - side), random.randint(0, image.height - side)
        image = image.resize((pixels, pixels), Image.Resampling.BICUBIC, box=(left, upper, left + side, upper + side))
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())

    class Files(IterableDataset):
        def __iter__(self):
            info = get_worker_info()
            files = sorted((work / material).glob("*.jpg"))
            first, step = (info.id, info.num_workers) if info else (0, 1)
            for number in range(first, images + MORE * BATCH, step):
                yield view(files[number % len(files)].read_bytes())

    if (work / material).is_dir() and material in ("small", "large"):
        data = Files()
    else:
        shards = [str(path) for path in sorted((work / material).glob("*.tar"))] or [str(work / material)]
        data = wds.WebDataset(shards, resampled=True, shardshuffle=False, empty_check=False)
        data = data.map(lambda sample: view(sample["jpg"])).with_epoch(images // max(1, workers) + MORE * BATCH)
    return consume((len(batch) for batch in DataLoader(data, batch_size=BATCH, num_workers=workers)), images)


CONTESTANTS = {"lexel": lexel, "Pillow loop": loop, "wait": wait}


def measure(
    contestant: str, task: str, work: Path, workers: int, peer: str | None, share: float = 1.0
) -> dict[str, float] | None:
    material, pixels, images = (WAITS[task], 64, STEPS) if contestant == "wait" else TASKS[task]
    count = images if contestant == "wait" else max(2 * BATCH, int(images * share))
    arguments = [material, str(work), str(pixels), str(count), str(workers)]
    if contestant == "open_clip":
        command = [str(peer), str(HERE.parent / "peers" / "open_clip_loader.py"), *arguments]
    else:
        command = [sys.executable, str(HERE), "--one", contestant, *arguments]
    threads = {} if contestant == "wait" else {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | threads)
    if done.returncode:
        print(f"{contestant} failed at {task}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        contestant, material, work, pixels, images, workers = sys.argv[2:]
        print(json.dumps(CONTESTANTS[contestant](material, Path(work), int(pixels), int(images), int(workers))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--tasks", default="", help="only those whose name holds this")
    parser.add_argument(
        "--images-share", type=float, default=1.0, help="of the pictures of a measurement: less is quicker"
    )
    parser.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python that can import open_clip")
    arguments = parser.parse_args()
    if not arguments.peer:
        print("open_clip is skipped: name its Python with --peer or LEXEL_PEER.")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        os.environ["LEXEL_CACHE"] = str(work / "cache")
        make_material(work)
        names = ["lexel", "Pillow loop", *(["open_clip"] if arguments.peer else [])]
        print(f"{'':<24}{'workers':>8}  {'':<14}{'CPU ms/image':>13}{'images/s':>10}{'ratio':>8}")
        for task in TASKS:
            if arguments.tasks not in task:
                continue
            for workers in map(int, arguments.workers.split(",")):
                found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
                for _ in range(arguments.rounds):
                    for name in names:
                        if name == "Pillow loop" and "+cache" in TASKS[task][0]:
                            continue  # it has none
                        if (
                            result := measure(name, task, work, workers, arguments.peer, arguments.images_share)
                        ) is not None:
                            found[name].append(result)
                report(task, workers, found)
        for task in WAITS:
            if arguments.tasks in task and (result := measure("wait", task, work, 1, None)) is not None:
                print(
                    f"{task:<24}{1:>8}  waits {result['share']:.1%} of a step, {result['pairs']:.0f} pairs/s",
                    flush=True,
                )


def report(task: str, workers: int, found: dict[str, list[dict[str, float]]]) -> None:
    own = None
    for name, results in found.items():
        if not results:
            continue
        cpu = 1e3 * statistics.median(result["cpu"] for result in results)
        speed = 1 / statistics.median(result["seconds"] for result in results)
        own = own or cpu
        print(f"{task:<24}{workers:>8}  {name:<14}{cpu:>13.2f}{speed:>10.0f}{cpu / own:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
