"""Pictures to a ready uint8 batch: folders, tar shards, packed shards, decoded cache, beside what others do with them.

    python benchmarks/data.py [--rounds 3] [--workers 1,2] [--peer PYTHON]

Made-up JPEGs of 640×480 and 12 megapixels. Beside Lexel: a loop over WebDataset or files with Pillow (decode, random
crop, bicubic resize; no flip, no jitter) and, where --peer or LEXEL_PEER names its Python, open_clip's own pipeline,
both in torch's DataLoader. open_clip has no packing and no cache: it reads the original tar there. Each measurement is
a process of its own, rounds are interleaved, medians are printed: CPU milliseconds an image over all processes,
images/s by the clock, and the ratio of the CPU milliseconds to Lexel's.
"""

import argparse
import io
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

BATCH = 32
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
    """Go through the batches; the first is not timed by the clock, as it comes with the start of the workers."""
    began_cpu, done, began = _cpu(), 0, 0.0
    for count in batches:
        if not began:
            began, first = time.perf_counter(), count
        done += count
    return {"seconds": (time.perf_counter() - began) / max(1, done - first), "cpu": (_cpu() - began_cpu) / done}


def _cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def lexel(material: str, work: Path, pixels: int, images: int, workers: int) -> dict[str, float]:
    import torch

    from lexel.data.augment import Augmentation
    from lexel.data.decoded_cache import GB, DecodedCache
    from lexel.data.loader import BatchMaker, TrainingSource, load_batches, order_of
    from lexel.data.readers import read_source
    from lexel.images import Preprocessing
    from lexel.tokenizer import Tokenizer

    torch.set_num_threads(1)
    name, _, cache = material.partition("+")
    pairs = read_source(str(work / name)).pairs
    sources = [TrainingSource(pairs, 1.0, ("a {}",))]
    maker = BatchMaker(
        sources=sources,
        order=order_of(sources, 0),
        batch_size=BATCH,
        tokenizer=Tokenizer.train(["a made-up picture"], 400, 16),
        preprocessing=Preprocessing(image_size=pixels),
        augmentation=Augmentation(),
        decoded=DecodedCache(GB, [len(pairs)]) if cache else None,
    )
    if cache:  # the first epoch fills it
        for _ in load_batches(maker, start=0, stop=-(-len(pairs) // BATCH), workers=0):
            pass
    batches = load_batches(maker, start=0, stop=images // BATCH, workers=workers)
    return consume((len(batch.keys) for batch in batches), images)


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
            for number in range(first, images, step):
                yield view(files[number % len(files)].read_bytes())

    if (work / material).is_dir() and material in ("small", "large"):
        data = Files()
    else:
        shards = [str(path) for path in sorted((work / material).glob("*.tar"))] or [str(work / material)]
        data = wds.WebDataset(shards, resampled=True, shardshuffle=False, empty_check=False)
        data = data.map(lambda sample: view(sample["jpg"])).with_epoch(images // max(1, workers))
    return consume((len(batch) for batch in DataLoader(data, batch_size=BATCH, num_workers=workers)), images)


CONTESTANTS = {"lexel": lexel, "Pillow loop": loop}


def measure(contestant: str, task: str, work: Path, workers: int, peer: str | None) -> dict[str, float] | None:
    material, pixels, images = TASKS[task]
    arguments = [material, str(work), str(pixels), str(images), str(workers)]
    if contestant == "open_clip":
        command = [str(peer), str(HERE.parent / "peers" / "open_clip_loader.py"), *arguments]
    else:
        command = [sys.executable, str(HERE), "--one", contestant, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
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
                        if (result := measure(name, task, work, workers, arguments.peer)) is not None:
                            found[name].append(result)
                report(task, workers, found)


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
