"""Images and captions to vectors, Lexel beside open_clip and transformers: the same ViT-B/32 weights, in turns.

    python benchmarks/encode.py [--peer PEER_VENV/bin/python] [--rounds 5] [--model FOLDER] [--exported FOLDER]

Every contestant is a process of its own with the same number of threads, which is asked for one round at a time, so
that neither imports nor what else the machine does fall on one of them alone. Peers decode, stack and encode batches of
64 in a plain loop, as their documentation shows. Pictures are made up; captions are Flickr8k's where `.data` has them.
Prints milliseconds an item, medians over the rounds, of the clock and of all cores' time, and the ratios to the better
peer in float32; with --json the same for programs.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
FLICKR = HERE.parent / ".data" / "flickr8k_part" / "metadata.jsonl"
MERGES = HERE.parent.parent / "shared" / "data" / "clip"
CAPTIONS = 512
PEERS = ("open_clip", "transformers")
TASKS = {
    "small files": "640×480 JPEG files",
    "large files": "12-megapixel JPEG files",
    "arrays": "640×480 arrays",
    "one image": "one 640×480 JPEG file",
    "64 captions": "64 captions",
    "512 captions": "512 captions",
}


@dataclass
class Contestant:
    """A worker process, and the seconds an item that it took in each round of each task."""

    process: subprocess.Popen
    name: str
    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, request: str) -> dict:
        assert self.process.stdin is not None
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return _answer(self.process)

    def round(self, task: str) -> None:
        answer = self.ask(task)
        self.wall.setdefault(task, []).append(answer["wall"] / answer["count"])
        self.cpu.setdefault(task, []).append(answer["cpu"] / answer["count"])


class WorkerEndedError(Exception):
    """A worker's process has ended; its message is in its log."""


def _answer(process: subprocess.Popen) -> dict:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise WorkerEndedError
    return json.loads(line)


@contextmanager
def contestant(command: list[str], threads: int) -> Iterator[Contestant | None]:
    """Start a worker on the first `threads` cores, or say why it is skipped."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    if hasattr(os, "sched_setaffinity"):
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
        command = ["taskset", "--cpu-list", cores, *command]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, env=environment, text=True, stderr=log, **pipes) as process,
    ):
        try:
            yield _greeted(process, command, log)
        finally:
            process.kill()


def _greeted(process: subprocess.Popen, command: list[str], log: TextIO) -> Contestant | None:
    try:
        return Contestant(process, _answer(process)["name"])
    except WorkerEndedError:
        log.seek(0)
        last = (log.read().strip().splitlines() or ["no message"])[-1]
        print(f"skipped: {' '.join(Path(part).name for part in command)}: {last}", file=sys.stderr)
        return None


def make_pictures(folder: Path, count: int, width: int, height: int) -> None:
    """JPEG files as a camera writes them: smooth shapes, some edges, sensor noise."""
    folder.mkdir()
    for number in range(count):
        random = np.random.default_rng([number, width])
        coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
        edges = coarse.resize((48, 36), Image.Resampling.NEAREST).resize((width, height), Image.Resampling.NEAREST)
        shapes = Image.blend(coarse.resize((width, height), Image.Resampling.BICUBIC), edges, 0.3)
        noisy = np.asarray(shapes) + random.normal(0, 4, (height, width, 1))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{number:03}.jpg", quality=90)


def read_captions() -> list[str]:
    """Sentences as people write them."""
    if FLICKR.exists():
        lines = FLICKR.read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["captions"][0] for line in lines][:CAPTIONS]
    print("There is no Flickr8k in .data: the captions are made up.", file=sys.stderr)
    from lexel.data.scenes import read_scenes

    return [pair.captions[0] for pair in read_scenes(f"scenes:{CAPTIONS}/val").pairs]


def make_models(work: Path, given: Path | None) -> Path:
    """The same ViT-B/32 in Lexel's, open_clip's and transformers' formats; with random weights when none is given."""
    from lexel.checkpoints.formats.read import read_foreign
    from lexel.checkpoints.formats.write import write_huggingface, write_open_clip

    folder = given or work / "lexel"
    if given is None:
        _make_random_model(folder)
    model = read_foreign(folder)
    write_open_clip(model, work / "open_clip")
    write_huggingface(model, work / "huggingface")
    return folder


def _make_random_model(folder: Path) -> None:
    from lexel.architectures.zoo import architecture
    from lexel.checkpoints.model_folder.folder import save_model_folder
    from lexel.images import Preprocessing
    from lexel.models.clip import CLIP, init_weights
    from lexel.tokenizer import clip_tokenizer

    config = architecture("ViT-B-32")
    clip = CLIP(config)
    init_weights(clip, 0)
    save_model_folder(
        folder,
        name="ViT-B-32, random",
        architecture=config,
        preprocessing=Preprocessing(),
        weights={name: tensor.numpy() for name, tensor in clip.state_dict().items()},
        tokenizer=clip_tokenizer(Path(os.environ.get("LEXEL_CLIP_MERGES", MERGES))),
        card="",
    )


def make_export(model: Path, work: Path) -> Path | None:
    """The model's towers as ONNX in float32, or None where what exporting needs is missing."""
    from lexel.conversion import export
    from lexel.errors import LexelError

    try:
        export(model, work / "exported")
    except LexelError as error:
        print(f"Exported towers are skipped: {error}", file=sys.stderr)
        return None
    return work / "exported"


def lexel_ways(model: Path, exported: Path | None) -> list[tuple[str, str, Path]]:
    """(runtime, number format, folder) of every way to run the model; one whose library is missing is skipped later."""
    from lexel.checkpoints.model_folder.exported import read_exported

    ways = [("torch", "float32", model), ("torch", "bfloat16", model)]
    if exported is not None:
        formats = read_exported(exported).towers
        ways += [("onnx", name, exported) for name in formats]
        ways += [("openvino", name, exported) for name in (*formats, "bfloat16")]
    return ways


def nearness(contestants: list[Contestant], work: Path) -> dict[str, dict[str, float]]:
    """The least cosine of each contestant's vectors to those of the last one in float32, which is a peer if any is."""
    vectors = {}
    for one in contestants:
        one.ask(f"save {work / 'vectors.npz'}")
        vectors[one.name] = dict(np.load(work / "vectors.npz"))
    reference = vectors[([name for name in vectors if name.endswith("float32")] or list(vectors))[-1]]
    return {
        name: {kind: float((rows * reference[kind]).sum(axis=1).min()) for kind, rows in found.items()}
        for name, found in vectors.items()
    }


def compare(contestants: list[Contestant], rounds: int) -> None:
    """Warm everybody up, then take turns."""
    for task in TASKS:
        for one in contestants:
            one.ask(task)
        for _ in range(rounds):
            for one in contestants:
                one.round(task)


def results(contestants: list[Contestant]) -> list[dict]:
    """For each task and contestant: milliseconds an item, and how many times as fast as the better float32 peer."""
    rows = []
    for task, what in TASKS.items():
        clock = {one.name: statistics.median(one.wall[task]) for one in contestants}
        cores = {one.name: statistics.median(one.cpu[task]) for one in contestants}
        peers = [one.name for one in contestants if not one.name.startswith("lexel")]
        for one in contestants:
            row = {"task": what, "name": one.name, "ms": 1e3 * clock[one.name], "cpu_ms": 1e3 * cores[one.name]}
            for kind, times in (("", clock), ("cpu_", cores)):
                for peer in PEERS:
                    theirs = [times[name] for name in peers if name.startswith(peer) and name.endswith("float32")]
                    row[f"{kind}ratio_{peer}"] = theirs[0] / times[one.name] if theirs else None
                best = [times[name] for name in peers]
                row[f"{kind}ratio_best"] = min(best) / times[one.name] if best else None
            rows.append(row)
    return rows


def print_table(rows: list[dict], cosines: dict[str, dict[str, float]], threads: int, rounds: int) -> None:
    def ratio(value: float | None) -> str:
        return f"{value:>11.2f}×" if value else f"{'–':>12}"

    print(f"{platform.machine()}, {threads} threads, ViT-B/32, medians of {rounds} rounds in turns")
    print("Ratios are of the clock's time: to each peer in float32, and to the best of the peers' modes.")
    for task in TASKS.values():
        print(f"\n{task:<34}{'ms':>9}{'CPU ms':>9}{'open_clip':>12}{'transformers':>14}{'best mode':>12}")
        for row in rows:
            if row["task"] == task:
                ratios = (
                    f"{ratio(row['ratio_open_clip'])}  {ratio(row['ratio_transformers'])}{ratio(row['ratio_best'])}"
                )
                print(f"  {row['name']:<32}{row['ms']:>9.1f}{row['cpu_ms']:>9.1f}{ratios}")
    print(f"\n{'least cosine to float32':<34}{'images':>9}{'captions':>10}")
    for name, found in cosines.items():
        print(f"  {name:<32}{found['images']:>9.5f}{found['texts']:>10.5f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python with open_clip and transformers")
    parser.add_argument("--model", type=Path, help="a ViT-B/32 model folder instead of random weights")
    parser.add_argument("--exported", type=Path, help="an export of that model; by itself one is made, in float32")
    parser.add_argument("--ways", help="only these of Lexel's, with commas between: torch-float32, openvino-int8, …")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, default=64, help="640×480 pictures a round")
    parser.add_argument("--large", type=int, default=16, help="12-megapixel pictures a round")
    parser.add_argument("--tasks", help=f"only these, with commas between: {', '.join(TASKS)}")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.tasks:
        for task in TASKS.keys() - set(arguments.tasks.split(",")):
            del TASKS[task]

    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        work = Path(temporary)
        make_pictures(work / "small", arguments.images, 640, 480)
        make_pictures(work / "large", arguments.large, 4000, 3000)
        (work / "captions.json").write_text(json.dumps(read_captions()))
        model = make_models(work, arguments.model)
        commands = []
        script = HERE / "peers" / "lexel_encode.py"
        for runtime, number_format, folder in lexel_ways(model, arguments.exported or make_export(model, work)):
            if not arguments.ways or f"{runtime}-{number_format}" in arguments.ways.split(","):
                commands.append([sys.executable, script, work, folder, runtime, number_format])
        if arguments.peer:
            for precision in ("bfloat16", "float32"):
                scripts = [HERE / "peers" / f"{library}_encode.py" for library in PEERS]
                commands += [[arguments.peer, script, work, precision] for script in scripts]
        else:
            print("The peers are skipped: name their Python with --peer or LEXEL_PEER.", file=sys.stderr)
        started = [
            stack.enter_context(contestant([str(part) for part in command], arguments.threads)) for command in commands
        ]
        contestants = [one for one in started if one]
        cosines = nearness(contestants, work)
        compare(contestants, arguments.rounds)
        rows = results(contestants)
    if arguments.json:
        print(json.dumps({"threads": arguments.threads, "rounds": arguments.rounds, "rows": rows, "cosines": cosines}))
    else:
        print_table(rows, cosines, arguments.threads, arguments.rounds)


if __name__ == "__main__":
    main()
