"""Ways to adapt a model: what each gains on the own data, what it keeps of what the model knew, and what it costs.

    python benchmarks/adaptation.py run MODEL --own caltech101 --ways plain,full,lora --seeds 0,1,2
    python benchmarks/adaptation.py choose                      # the table on val splits, by which defaults are chosen
    python benchmarks/adaptation.py test MODEL                  # measures the same runs on test splits, for the table

Own data are Caltech-101, groceries and Flickr8k in .data/; guards are tiny-imagenet's val split, one half of it for
choosing and the other for reporting, and the aerial pictures (val for choosing, test for reporting). Caltech-101 has
no val split: a fifth of its train split is kept apart for choosing. Each run is trained once and appends a line to
runs/adaptation/rows.jsonl; what is there already is not run again, so an interrupted table is completed by the same
command. Seconds are processor time of this process, training alone; memory is measured apart (`memory`), in a process
of its own for each way.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import lexel
from lexel.data.pairs import Source
from lexel.data.readers import read_source
from lexel.evaluation.score import measure_score

FOLDER = Path("runs/adaptation")
ROWS = FOLDER / "rows.jsonl"
OWN = {"caltech101": "caltech101_eval", "grocery": "grocery", "flickr8k": "flickr8k_part"}
TINY, AERIAL = ".data/tinyimagenet_30k/val", ".data/remote_sensing_captions"
GUARD_PICTURES = 1000  # of each half of tiny-imagenet's val split
# Each way to adapt, as changes of the recipe that this script makes.
WAYS: dict[str, tuple[str, ...]] = {
    "plain": ("optimizer.learning_rate=3e-4",),
    "plain 1e-4": ("optimizer.learning_rate=1e-4",),
    "plain 1e-3": ("optimizer.learning_rate=1e-3",),  # about what is passed to open_clip unchanged
    **{
        f"full {remember:g}": ("adapt.kind=full", "optimizer.learning_rate=3e-4", f"adapt.remember={remember}")
        for remember in (1.0, 3.0, 10.0, 30.0)
    },
    **{
        f"full {remember:g} 1e-3": ("adapt.kind=full", "optimizer.learning_rate=1e-3", f"adapt.remember={remember}")
        for remember in (3.0, 10.0, 30.0)
    },
    **{
        f"lora {rank} {rate}": ("adapt.kind=lora", f"adapt.rank={rank}", f"optimizer.learning_rate={rate}")
        for rank, rate in ((8, "1e-3"), (8, "3e-3"), (8, "1e-2"), (32, "3e-3"))
    },
    "locked": ("adapt.kind=locked", "optimizer.learning_rate=3e-4"),
    "locked 1e-3": ("adapt.kind=locked", "optimizer.learning_rate=1e-3"),
    "statistics learned": ("optimizer.learning_rate=3e-4", "freeze.statistics=false"),
    "statistics kept": ("optimizer.learning_rate=3e-4", "freeze.statistics=true"),
    "float32": ("optimizer.learning_rate=3e-4", "precision=float32"),
    "bfloat16": ("optimizer.learning_rate=3e-4", "precision=bfloat16"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run")
    run.add_argument("model")
    run.add_argument("--own", default=",".join(OWN))
    run.add_argument("--ways", default="plain,full 10,lora 8 3e-3,locked")
    run.add_argument("--seeds", default="0")
    run.add_argument("--steps", type=int, default=100)
    run.add_argument("--batch", type=int, default=64)
    verbs.add_parser("test").add_argument("model")
    verbs.add_parser("choose")
    memory = verbs.add_parser("memory")
    memory.add_argument("model")
    memory.add_argument("--ways", default="plain,full 10,lora 8 3e-3,locked")
    memory.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    if arguments.verb == "run":
        run_all(arguments)
    elif arguments.verb == "test":
        measure_all(arguments.model, "test")
    elif arguments.verb == "memory":
        for way in arguments.ways.split(","):
            print(f"{way:<24}{peak_memory(arguments.model, way, arguments.batch):8.0f} MB")
    print_table("test" if arguments.verb == "test" else "choose")


def run_all(arguments: argparse.Namespace) -> None:
    """Train what is not there yet, and measure it on what is for choosing."""
    for seed in arguments.seeds.split(","):
        for own in arguments.own.split(","):
            for way in arguments.ways.split(","):
                name = f"{own} {way} {arguments.steps}x{arguments.batch} seed {seed}"
                known = {row["name"] for row in rows()}
                if name in known:
                    continue
                changes = (f"steps={arguments.steps}", f"batch_size={arguments.batch}", f"seed={seed}", *WAYS[way])
                start = time.process_time()
                run = lexel.train(recipe(arguments.model, own, changes), FOLDER / name)
                seconds = time.process_time() - start
                append({"name": name, "own": own, "way": way, "steps": arguments.steps, "batch": arguments.batch,
                        "seed": int(seed), "seconds": seconds, "model": str(run.model)})  # fmt: skip
                measure_all(arguments.model, "choose", own)


def recipe(model: str, own: str, changes: tuple[str, ...]) -> lexel.Recipe:
    """A fine-tuning run on own data that measures and saves as little as it can."""
    content: dict[str, Any] = {
        "name": own,
        "data": {"sources": [{"source": str(prepared(own) / "train")}], "workers": 0, "decoded_cache_gb": 1},
        "model": {"weights": model},
        "evaluation": {"times": 1},
        "snapshot": {"every_minutes": 60},
    }
    return lexel.Recipe.build(content, changes)


def prepared(own: str) -> Path:
    """The own data with splits train, val and test, as a folder of links."""
    source, folder = Path(".data") / OWN[own], FOLDER / "data" / own
    if (folder / "metadata.jsonl").is_file():
        return folder
    folder.mkdir(parents=True)
    lines = [json.loads(line) for line in (source / "metadata.jsonl").read_text().splitlines()]
    if not any(line["split"] == "val" for line in lines):
        train = [line for line in lines if line["split"] == "train"]
        for row in np.random.default_rng(0).permutation(len(train))[: len(train) // 5]:
            train[row]["split"] = "val"
    lines = [line for line in lines if line["split"] in ("train", "val", "test")]
    for line in lines:
        (folder / line["file_name"]).symlink_to((source / line["file_name"]).resolve())
    kept = [
        {name: line[name] for name in ("file_name", "captions", "label", "split") if name in line} for line in lines
    ]
    if own == "grocery":  # its descriptions are few and long: labels alone
        kept = [{name: value for name, value in line.items() if name != "captions"} for line in kept]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, kept)) + "\n")
    return folder


def guards(part: str) -> dict[str, Source]:
    """Those for choosing, or those for reporting: other pictures."""
    tiny = read_source(TINY)
    start = 0 if part == "choose" else 1
    half = list(tiny.pairs)[start::2][:: max(1, len(tiny.pairs) // 2 // GUARD_PICTURES)]
    aerial = read_source(f"{AERIAL}/{'val' if part == 'choose' else 'test'}")
    return {"tiny-imagenet": replace(tiny, pairs=half), "aerial": aerial}


def measure_all(model: str, part: str, only: str | None = None) -> None:
    """Measure the starting model and each run, of one of the own data sets `only` or of all, on what is for choosing or
    for reporting, where that is not done yet."""
    found = [row for row in rows() if only in (None, row["own"])]
    starts = [
        {"name": f"{own} start", "own": own, "way": "start", "model": model} for own in OWN if only in (None, own)
    ]
    found += [row for row in starts if row["name"] not in {row["name"] for row in found}]
    own_sources = {own: read_source(str(prepared(own) / ("val" if part == "choose" else "test"))) for own in OWN}
    watched = guards(part)
    for row in found:
        if part in row:
            continue
        encoder = lexel.load(row["model"])
        scores = {"own": measure_score(encoder, own_sources[row["own"]]).points}
        scores |= {name: measure_score(encoder, source).points for name, source in watched.items()}
        row[part] = scores
        append(row)


def peak_memory(model: str, way: str, batch: int) -> float:
    """The largest resident size, in MB, of a process that takes three steps."""
    code = (
        "import sys, resource, tempfile, lexel; sys.path.insert(0, 'benchmarks'); import adaptation as a\n"
        f"changes = ('steps=3', 'batch_size={batch}', 'precision=float32', *a.WAYS[{way!r}])\n"
        f"lexel.train(a.recipe({model!r}, 'caltech101', changes), tempfile.mkdtemp() + '/run')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return int(out.split()[-1]) / 1024


def rows() -> list[dict[str, Any]]:
    """The last line of each run."""
    if not ROWS.is_file():
        return []
    return list({row["name"]: row for row in map(json.loads, ROWS.read_text().splitlines())}.values())


def append(row: dict[str, Any]) -> None:
    with open(ROWS, "a") as file:
        file.write(json.dumps(row) + "\n")


def print_table(part: str) -> None:
    """Means over seeds; gain and kept are shares of the starting model's."""
    found = [row for row in rows() if part in row]
    start = {row["own"]: row[part] for row in found if row["way"] == "start"}
    keys = dict.fromkeys((row["own"], row["way"], row.get("steps"), row.get("batch")) for row in found)
    print(f"{'own':<12}{'way':<24}{'steps':>10}{'seeds':>6}{'own %':>14}{'tiny %':>14}{'aerial %':>14}{'CPU s':>8}")
    for own, way, steps, batch in sorted(keys, key=str):
        same = [
            row
            for row in found
            if (row["own"], row["way"], row.get("steps"), row.get("batch")) == (own, way, steps, batch)
        ]
        cells = []
        for name in ("own", "tiny-imagenet", "aerial"):
            values = [row[part][name] for row in same]
            cells.append(f"{np.mean(values):6.1f} ({np.mean(values) - start[own][name]:+5.1f})")
        seconds = np.mean([row.get("seconds", 0) for row in same])
        length = f"{steps}x{batch}" if steps else ""
        print(
            f"{own:<12}{way:<24}{length:>10}{len(same):>6}"
            + "".join(f"{cell:>14}" for cell in cells)
            + f"{seconds:8.0f}"
        )


if __name__ == "__main__":
    main()
