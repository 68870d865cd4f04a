"""Memory of large sources: a million rows of a table, a million samples out of shards, `inspect` on 100,000 images.

    python benchmarks/data_memory.py [--tasks table,shards,inspect] [--rows 1000000] [--samples 1000000]

Files are made up in a temporary folder (--work names another): the table lists hard links to a few pictures; the shards
are hard links to one that `lexel data prepare` wrote; `inspect` has as many different JPEGs of 96×72 pixels. Each task
is a process of its own whose memory (PSS, with that of the processes that it starts) is read every second. `table` also
prints what the pairs of a list of objects take. Times are by the clock and of all processors together.
"""

import argparse
import gc
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve()
MB = 1e6
LINKS_OF_A_FILE = 50_000  # a file system allows some 65,000
FILES_OF_A_FOLDER = 1000
TENTHS = 10


def memory(pid: int) -> float:
    """Megabytes of a process and of all that it has started, what they share counted once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return 0.0
    own = sum(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Pss:"))
    return own + sum(memory(int(child)) for child in children)


def small_jpeg(number: int, width: int = 96, height: int = 72) -> bytes:
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(content, "JPEG", quality=85)
    return content.getvalue()


def make_table(work: Path, rows: int) -> None:
    """A CSV of so many file names and captions; the files are hard links to a few pictures."""
    (work / "table").mkdir()
    with (work / "table" / "t.csv").open("w") as table:
        table.write("file_name,caption\n")
        for row in range(rows):
            if row % LINKS_OF_A_FILE == 0:
                original = work / "table" / f".{row}"
                original.write_bytes(small_jpeg(row))
            name = f"{row // FILES_OF_A_FOLDER:04}/{row:07}.jpg"
            if row % FILES_OF_A_FOLDER == 0:
                (work / "table" / name).parent.mkdir()
            os.link(original, work / "table" / name)
            table.write(f"{name},a made-up picture of things that are {row} and of colours that nobody has named\n")


def read_table(work: Path) -> None:
    """What the pairs of a table take once it is read."""
    from lexel.data.readers import read_source

    before, began = memory(os.getpid()), time.process_time()
    pairs = read_source(str(work / "table" / "t.csv")).pairs
    gc.collect()
    after, seconds = memory(os.getpid()), time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    print(f"{len(pairs):,} pairs: {after - before:,.0f} MB held, {peak - before:,.0f} at the most, {seconds:.0f} CPU s")
    began = time.process_time()
    held = list(pairs)
    print(f"as a list of objects: {memory(os.getpid()) - after:,.0f} MB more", end="")
    print(f"; {1e6 * (time.process_time() - began) / len(held):.1f} µs to make one")


def make_shards(work: Path, samples: int) -> None:
    """Hard links to one shard of 5,000 pairs and to its index."""
    from lexel.data.packing import PackSettings, pack
    from lexel.data.readers import read_source

    (work / "pictures").mkdir()
    for number in range(5000):
        (work / "pictures" / f"{number:05}.jpg").write_bytes(small_jpeg(number, 24, 18))
        (work / "pictures" / f"{number:05}.txt").write_text(f"a made-up picture of things that are {number}")
    pack(str(work / "pictures"), read_source, work / "one", PackSettings(size=32))
    (work / "shards").mkdir()
    for number in range(-(-samples // 5000)):
        for end in (".tar", ".tar.index"):
            os.link(work / "one" / f"00000{end}", work / "shards" / f"{number:05}{end}")


def read_shards(work: Path, samples: int) -> None:
    """Batches of all samples of the shards, once; memory after each tenth."""
    from lexel.data.augment import Augmentation
    from lexel.data.loader import BatchMaker, TrainingSource, load_batches, order_of
    from lexel.data.readers import read_source
    from lexel.images import Preprocessing
    from lexel.tokenizer import Tokenizer

    pairs = read_source(str(work / "shards")).pairs
    sources = [TrainingSource(pairs, 1.0, ("a {}",))]
    maker = BatchMaker(
        sources=sources,
        order=order_of(sources, 0),
        batch_size=500,
        tokenizer=Tokenizer.train(["a made-up picture of things"], 400, 16),
        preprocessing=Preprocessing(image_size=16),
        augmentation=Augmentation(),
    )
    steps, began = min(samples, len(pairs)) // maker.batch_size, time.perf_counter()
    print(f"{len(pairs):,} pairs in {len(pairs.shard_ends):,} shards; MB after each tenth of {samples:,}:", end="")
    for step, _ in enumerate(load_batches(maker, start=0, stop=steps, workers=1), 1):
        if step % max(1, steps // TENTHS) == 0:
            print(f" {memory(os.getpid()):,.0f}", end="", flush=True)
    print(f"; {steps * maker.batch_size / (time.perf_counter() - began):,.0f} samples/s by the clock")


def make_images(work: Path, images: int) -> None:
    for number in range(images):
        folder = work / "images" / f"{number // FILES_OF_A_FOLDER:04}"
        if number % FILES_OF_A_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"{number:06}.jpg").write_bytes(small_jpeg(number))


def inspect(work: Path, images: int) -> None:
    """`lexel data inspect --json`: images/s, and memory while it runs."""
    command = [sys.executable, "-m", "lexel", "data", "inspect", str(work / "images"), "--json"]
    began = time.perf_counter()
    with (work / "facts.json").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        seen = list(_watch(process))
    seconds, usage = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    facts = json.loads((work / "facts.json").read_text())
    tenths = " ".join(f"{seen[len(seen) * tenth // TENTHS]:,.0f}" for tenth in range(TENTHS)) if seen else ""
    cpu = usage.ru_utime + usage.ru_stime
    print(f"{facts['images']:,} images, {facts['bad']:,} bad: {images / seconds:,.0f} images/s by the clock,", end=" ")
    print(f"{1e3 * cpu / images:.2f} CPU ms an image; MB at each tenth of the time: {tenths};", end=" ")
    print(f"{max(seen):,.0f} at the most")


def _watch(process: subprocess.Popen[bytes]) -> Iterator[float]:
    while process.poll() is None:
        yield memory(process.pid)
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="table,shards,inspect")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--work", type=Path, help="a folder in which the files stay, to be used again")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    measured = {
        "table": (make_table, read_table, options.rows, ()),
        "shards": (make_shards, read_shards, options.samples, (options.samples,)),
        "inspect": (make_images, inspect, options.images, (options.images,)),
    }
    if options.one:
        _, measure, _, arguments = measured[options.one]
        measure(options.work, *arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        os.environ["LEXEL_CACHE"] = str(work / "cache")
        for task in options.tasks.split(","):
            make, _, count, _ = measured[task]
            if not (done := work / f"{task}.made").exists():
                make(work, count)
                done.touch()
            print(f"{task}: ", end="", flush=True)
            sizes = [f"--rows={options.rows}", f"--samples={options.samples}", f"--images={options.images}"]
            subprocess.run([sys.executable, str(HERE), "--one", task, f"--work={work}", *sizes], check=True)


if __name__ == "__main__":
    main()
