"""The library: indexing beside rclip and clip-retrieval, looking again at unchanged files, the first answer.

    python benchmarks/library.py [--peer …] [--rclip …] [--clip-retrieval …] [--small 200] [--large 40]

1. Indexing: made-up photos of 640×480 and of 12 megapixels, and both mixed, with one ViT-B/32 of random weights for
   everybody. Each contestant is a process of its own that is timed from the first file to the last vector stored;
   loading models is left out, for everybody. Memory is the peak of the process and its children (PSS).
2. Looking again: a library of 100,000 tiny files in which nothing has changed.
4. The first answer of a new process that searches a library of 100,000, and what it spends its time on.
(3, the latency of queries, is `vectors.py`.)
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import numpy as np
from encode import make_export, make_models, make_pictures
from PIL import Image

HERE = Path(__file__).parent
KINDS = ("640×480", "12 megapixels", "mixed")
SHARE_LARGE = 0.1  # of the mixed photos


@dataclass
class Contestant:
    """How to run it, and what it came to in each round."""

    command: list[str]
    name: str = ""
    rates: dict[str, list[float]] = field(default_factory=dict)  # images/s
    peaks: dict[str, list[float]] = field(default_factory=dict)  # MB
    cores: dict[str, list[float]] = field(default_factory=dict)  # CPU milliseconds an image


class PeakMemory(threading.Thread):
    """The most that a process and its children have together, in MB, looked at ten times a second."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak, self.over = process, 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.wait(0.1):
            self.peak = max(self.peak, sum(map(_pss, _family(self.process))) / 1e3)


def _family(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [process, *(one for child in children for one in _family(int(child)))]


def _pss(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def run(command: Sequence[object], threads: int) -> tuple[dict | None, float]:
    """What a contestant's process answers, and its peak memory in MB; None with a line on why it is skipped."""
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    words = ["taskset", "--cpu-list", cores, *map(str, command)]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        memory = PeakMemory(process.pid)
        out, _ = process.communicate()
        memory.over.set()
        memory.join()
        if process.returncode == 0:
            return json.loads(out.strip().splitlines()[-1]), memory.peak
        log.seek(0)
        last = (log.read().strip().splitlines() or ["no message"])[-1]
        print(f"skipped: {' '.join(Path(str(part)).name for part in command[:3])}: {last}", file=sys.stderr)
        return None, 0.0


def make_photos(work: Path, small: int, large: int) -> dict[str, Path]:
    """A folder for each kind. Few pictures are drawn; each file gets an end of its own, so that no two are alike."""
    make_pictures(work / "drawn-small", 16, 640, 480)
    make_pictures(work / "drawn-large", 6, 4000, 3000)
    contents = [
        [path.read_bytes() for path in sorted((work / f"drawn-{kind}").iterdir())] for kind in ("small", "large")
    ]
    few = max(1, round(small * SHARE_LARGE))
    wanted = {"640×480": (small, 0), "12 megapixels": (0, large), "mixed": (small - few, few)}
    folders = {}
    for kind, counts in wanted.items():
        folder = folders[kind] = work / f"photos-{kind}"
        folder.mkdir()
        for size, (count, drawn) in enumerate(zip(counts, contents, strict=True)):
            for number in range(count):
                content = drawn[number % len(drawn)] + f"{kind} {size} {number}".encode()
                (folder / f"{number:05}-{size}.jpg").write_bytes(content)
    return folders


def make_rclip_model(exported: Path, home: Path) -> None:
    """Lexel's exported towers under the names that rclip expects of files, inputs and outputs."""
    import onnx

    from lexel.checkpoints.model_folder.exported import open_towers

    folder = home / "ViT-B-32-256-datacomp_s34b_b86k"
    folder.mkdir(parents=True)
    towers = open_towers(exported, "float32")
    for tower, name in (("image", "visual"), ("text", "textual")):
        model = onnx.load(towers.file(tower))
        names = {model.graph.input[0].name: "input", model.graph.output[0].name: "output"}
        del model.graph.output[1:]
        for value in (*model.graph.input, *model.graph.output):
            value.name = names[value.name]
        for node in model.graph.node:
            node.input[:] = [names.get(one, one) for one in node.input]
            node.output[:] = [names.get(one, one) for one in node.output]
        onnx.save(model, folder / f"{name}.onnx")


def contestants(work: Path, model: Path, exported: Path | None, arguments: argparse.Namespace) -> list[Contestant]:
    """Those that there is a Python for."""
    ours = [("torch", "float32", model), ("torch", "bfloat16", model)]
    if exported:
        ours += [("onnx", "float32", exported), ("openvino", "float32", exported), ("openvino", "bfloat16", exported)]
    found = [
        Contestant([sys.executable, str(HERE / "peers/lexel_index.py"), "PICTURES", "WORK", str(folder), *way])
        for *way, folder in ours
        if not arguments.ways or "-".join(way) in arguments.ways.split(",")
    ]
    for python, script in (
        (arguments.peer, "transformers_index.py"),
        (arguments.clip_retrieval, "clip_retrieval_index.py"),
        (arguments.rclip if exported else None, "rclip_index.py"),
    ):
        if python:
            found.append(Contestant([python, str(HERE / "peers" / script), "PICTURES", "WORK"]))
    if exported and arguments.rclip:
        make_rclip_model(exported, work / "rclip")
    return found


def index(work: Path, folders: dict[str, Path], found: list[Contestant], arguments: argparse.Namespace) -> None:
    """Every contestant indexes every kind, in turns, from nothing each time."""
    for kind, folder in folders.items():
        for _ in range(arguments.rounds):
            for one in found:
                place = work / "work"
                rmtree(place, ignore_errors=True)
                place.mkdir()
                if "rclip" in one.command[1]:
                    (place / "ViT-B-32-256-datacomp_s34b_b86k").symlink_to(next((work / "rclip").iterdir()))
                words = [{"PICTURES": str(folder), "WORK": str(place)}.get(word, word) for word in one.command]
                answer, peak = run(words, arguments.threads)
                if answer:
                    one.name = answer["name"]
                    one.rates.setdefault(kind, []).append(answer["images"] / answer["seconds"])
                    one.peaks.setdefault(kind, []).append(peak)
                    one.cores.setdefault(kind, []).append(1e3 * answer["cpu"] / answer["images"])


def print_indexing(found: list[Contestant], folders: dict[str, Path], arguments: argparse.Namespace) -> None:
    for kind, folder in folders.items():
        there = [one for one in found if kind in one.rates]
        peers = [one for one in there if not one.name.startswith("lexel")]
        best = max((statistics.median(one.rates[kind]) for one in peers), default=None)
        least = min((statistics.median(one.cores[kind]) for one in peers), default=None)
        title = f"Indexing, {kind}, {len(list(folder.iterdir())):,} photos"
        print(f"\n{title:<40}{'images/s':>10}{'CPU ms':>10}{'peak MB':>10}{'to best peer':>14}{'by CPU':>10}")
        for one in there:
            rate, cpu, peak = (statistics.median(values[kind]) for values in (one.rates, one.cores, one.peaks))
            ratios = f"{rate / best:>13.2f}×{least / cpu:>9.2f}×" if best and least else f"{'–':>14}{'–':>10}"
            print(f"  {one.name:<38}{rate:>10.1f}{cpu:>10.1f}{peak:>10.0f}{ratios}")


def make_many(folder: Path, count: int) -> None:
    """Tiny pictures, no two alike, a thousand to a folder."""
    for number in range(count):
        home = folder / f"{number // 1000:04}"
        if number % 1000 == 0:
            home.mkdir(parents=True)
        pixels = np.frombuffer(number.to_bytes(12, "little"), np.uint8).reshape(2, 2, 3)
        Image.fromarray(pixels).save(home / f"{number % 1000:04}.bmp")


def fill_library(path: Path, folder: Path, model: str, encoder) -> None:
    """A library of the folder with random vectors, in the place of hours of embedding."""
    from lexel.library.disk.walk import walk
    from lexel.library.library import Library
    from lexel.library.store.changes import FileState, PhotoFacts

    dice = np.random.default_rng(0)
    with Library.open(path, model, create=True) as library, library.records.changing() as changes:
        changes.set_fact("fingerprint", encoder.fingerprint)
        changes.set_fact("dimensions", encoder.dimensions)
        changes.set_fact("model", model)
        changes.add_place(str(folder), "folder")
        for home in walk([str(folder)]):
            for file in home.files:
                vector = dice.normal(size=encoder.dimensions)
                vector = (vector / np.linalg.norm(vector)).astype("<f2").tobytes()
                content = changes.add_content(file.path.encode()[-16:].rjust(16), b"\xff\xd8" + bytes(4000), vector)
                changes.add_file(file.path, FileState(file.size, file.mtime_ns), content, PhotoFacts(2, 2))


def look_again(work: Path, library: Path, folder: Path, arguments: argparse.Namespace) -> None:
    script = (
        "import json, sys, time\n"
        "from lexel.library.library import Library\n"
        "with Library.open(sys.argv[1]) as library:\n"
        "    library.encoder\n"
        "    began = time.perf_counter()\n"
        "    added = library.refresh()\n"
        "    seconds = time.perf_counter() - began\n"
        "assert not added.read and not added.vanished, added\n"
        "print(json.dumps({'name': 'lexel', 'seconds': seconds, 'images': added.unchanged}))\n"
    )
    commands: list[list[object]] = [[sys.executable, "-c", script, library]]
    if arguments.rclip:
        (work / "again").mkdir()
        commands.append([arguments.rclip, HERE / "peers/rclip_index.py", folder, work / "again", "again"])
    print(f"\nLooking again, nothing changed{'':<19}{'files':>10}{'seconds':>10}{'peak MB':>10}")
    for command in commands:
        answers = [run(command, arguments.threads) for _ in range(1 if command[0] != sys.executable else 3)]
        seconds = [answer["seconds"] for answer, _ in answers if answer]
        if seconds and answers[0][0]:
            peak = max(peak for _, peak in answers)
            name, images = answers[0][0]["name"], answers[0][0]["images"]
            print(f"  {name:<46}{images:>11,}{statistics.median(seconds):>10.2f}{peak:>10.0f}")


STAGES = """
import json, sys, time
began = time.perf_counter()
stages = {}
def done(what):
    global began
    now = time.perf_counter()
    stages[what] = now - began
    began = now
from lexel.library.library import Library
done("import")
library = Library.open(sys.argv[1])
done("open the records")
encoder = library.encoder
done("load the model")
vectors = library.vectors
done("open the vectors")
query = encoder.embed_texts(["a red bicycle in the snow"])
done("embed the text")
_, ids = vectors.search(query, 10)
done("search")
library.records.photos(ids[0])
done("look up the photos")
print(json.dumps(stages))
"""


def start_cold(library: Path, arguments: argparse.Namespace) -> None:
    """The whole command, then the same by stages."""
    words = [sys.executable, "-m", "lexel", "search", str(library), "a red bicycle in the snow", "--json"]
    times = []
    for _ in range(6):
        began = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - began)
        if done.returncode:
            print(f"skipped: lexel search: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            break
    else:  # the first one may have built the cache
        seconds = statistics.median(times[1:])
        print(f"\nlexel search, a new process, {arguments.many:,} photos: {seconds:.2f} s to its result")
    answers = [
        answer for answer, _ in (run([sys.executable, "-c", STAGES, library], arguments.threads) for _ in range(4))
    ]
    found = [answer for answer in answers[1:] if answer]
    for stage in found[0] if found else ():
        print(f"  {stage:<46}{1e3 * statistics.median(answer[stage] for answer in found):>10.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python with transformers")
    parser.add_argument("--rclip", default=os.environ.get("LEXEL_RCLIP"), help="a Python with rclip")
    parser.add_argument(
        "--clip-retrieval", default=os.environ.get("LEXEL_CLIP_RETRIEVAL"), help="a Python with clip-retrieval"
    )
    parser.add_argument("--ways", help="only these of Lexel's, with commas: torch-float32,openvino-bfloat16")
    parser.add_argument("--parts", default="1,2,4", help="only these, with commas between")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", type=int, default=200, help="640×480 photos")
    parser.add_argument("--large", type=int, default=40, help="12-megapixel photos")
    parser.add_argument("--many", type=int, default=100_000, help="files to look at again")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        model = make_models(work, None)
        exported = make_export(model, work)
        print(f"{platform.machine()}, {arguments.threads} threads, ViT-B/32 of random weights")
        if "1" in parts:
            folders = make_photos(work, arguments.small, arguments.large)
            found = contestants(work, model, exported, arguments)
            index(work, folders, found, arguments)
            print_indexing(found, folders, arguments)
        if "2" in parts or "4" in parts:
            import lexel

            chosen = exported or model
            make_many(work / "many", arguments.many)
            fill_library(work / "many.lexel", work / "many", str(chosen), lexel.load(chosen))
            if "2" in parts:
                look_again(work, work / "many.lexel", work / "many", arguments)
            if "4" in parts:
                start_cold(work / "many.lexel", arguments)


if __name__ == "__main__":
    main()
