"""The speed run: how good a CLIP gets from little data in a fixed time of one core, Lexel beside open_clip.

    python benchmarks/speed_run.py run lexel --data everyday --seed 0             # a run, a row in speed-run.jsonl
    python benchmarks/speed_run.py run lexel-before --data everyday --seed 0
    python benchmarks/speed_run.py run open_clip:vit-192@1e-3 --data everyday --seed 0 --peer PEER_VENV/bin/python
    python benchmarks/speed_run.py table speed-run.jsonl --plot speed-run.png     # what the rows say

The rules, written before any number was looked at:

1. Data. `everyday`: the five training splits of recipes/everyday.toml with their weights (tiny-imagenet, shop titles,
   aerial views, Flickr8k, emoji; labels become captions through the template set "photo"). `fashion_titles`: its
   training split. Nobody starts from other weights or reads other pictures or words.
2. Budget. 24 minutes (`--minutes`) of processor time on one thread, in steps: reading and decoding a picture, varying
   it, tokenizing, forward, loss, backward, optimizer. Imports, reading lists of files, learning a vocabulary,
   evaluation and writing are left out, for all alike. How many steps fit is found by a pilot of a few steps before the
   run, which is left out too; where the machine was then slower or quicker by more than 10 %, the table says so.
3. Measures. everyday: tiny-imagenet (the odd half of its val split), CIFAR-10, Caltech-101 and flowers5 zero-shot
   top-1 with the mean of the templates "photo"; aerial and Flickr8k test and fashion test recall@10 both ways.
   fashion_titles: test recall@10 both ways. All contestants are measured by the same code, several times in a run
   (`--points`); the last point is the result. Numbers in the middle of a run are of a learning rate that is still high.
4. Seeds 0, 1 and 2. A table says how many were run; of one seed it shows the 95 % interval over pictures.
5. Contestants. `lexel`: the recipe of the data set in recipes/, which is Lexel's default. `lexel-before`: the one in
   recipes/speed-run/, as it was before this benchmark was there. `open_clip:TOWER@RATE`: open_clip's own CSV reader,
   transforms, tokenizer, model, loss and `train_one_epoch`, on the same pairs in the same shares, batch 256, amp_bf16,
   AdamW as its main.py makes it, a twentieth of the steps as warm-up and a cosine, pictures of 64 pixels, the context
   cut to 32 tokens. Its towers: `vit-192`, `vit-256` (6 blocks, patches of 8 pixels) and `rn` (its modified ResNet,
   width 32, blocks 1-2-2-1), with a text tower 192 wide and 3 blocks deep (of vit-256: 256 and 4).
6. Search. open_clip's small search is all three towers with rates of 3e-4, 1e-3 and 2e-3, six minutes each on the
   choosing sets (`--choosing`): the even half of tiny-imagenet's val split and the val splits of the captioned sets.
   The highest mean over measures runs the full budget. Lexel's settings, too, were chosen on these sets alone. What
   is reported is looked at when everything has been chosen.

Run it where the repository lies, with the data in `.data`. A contestant of open_clip needs a Python that can import it
(`--peer` or LEXEL_PEER; benchmarks/README.md says how to get one).
"""

import argparse
import os
import platform
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))

from speed.lexel_run import run as run_lexel
from speed.measures import MEASURES, measurer
from speed.open_clip_run import run as run_open_clip
from speed.open_clip_run import tower_and_rate
from speed.rows import Row, append, plot, read, table

from lexel.errors import LexelError, UsageError
from lexel.training.recipe import Recipe

RECIPES = {
    ("lexel", "everyday"): "recipes/everyday.toml",
    ("lexel", "fashion_titles"): "recipes/fashion.toml",
    ("lexel-before", "everyday"): "recipes/speed-run/everyday-before.toml",
    ("lexel-before", "fashion_titles"): "recipes/speed-run/fashion-before.toml",
}
ROWS = Path("speed-run.jsonl")
DATA_FOLDER = Path(".data")  # as in the recipes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb")
    run = verbs.add_parser("run", help="train and measure one contestant with one seed, and append its row")
    run.add_argument("contestant", help="lexel, lexel-before or open_clip:TOWER@RATE")
    run.add_argument("--data", choices=list(MEASURES), default="everyday")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--minutes", type=positive, default=24.0, help="of processor time")
    run.add_argument("--points", type=whole, default=6, help="how often it is measured, the last time at the end")
    run.add_argument("--choosing", action="store_true", help="measure on the sets to choose by")
    run.add_argument("--rows", type=Path, default=ROWS)
    run.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="a change of Lexel's recipe")
    run.add_argument("--steps", type=whole, help="take so many steps, however long they take")
    run.add_argument("--name", help="what the row is called; default: the contestant")
    run.add_argument("--peer", default=os.environ.get("LEXEL_PEER"), help="a Python that can import open_clip")
    shown = verbs.add_parser("table", help="what the rows say")
    shown.add_argument("rows", type=Path, nargs="*", default=[ROWS])
    shown.add_argument("--plot", type=Path, help="a picture of quality against time, .png or .svg")
    options = parser.parse_args()
    try:
        if options.verb == "run":
            take_part(options)
        elif options.verb == "table" or ROWS.is_file():
            show([ROWS] if options.verb is None else options.rows, getattr(options, "plot", None))
        else:
            print(f"speed_run.py: no {ROWS} yet. A run takes half an hour: python benchmarks/speed_run.py run lexel")
    except (LexelError, OSError) as error:
        sys.exit(f"speed_run.py: {error}")


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def whole(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def take_part(options: argparse.Namespace) -> None:
    sets = "choosing" if options.choosing else "reported"
    by_lexel = not options.contestant.startswith("open_clip:")
    path = RECIPES.get((options.contestant if by_lexel else "lexel-before", options.data))
    if path is None:
        raise UsageError(f"No contestant {options.contestant}: lexel, lexel-before or open_clip:TOWER@RATE.")
    recipe = Recipe.load(path, [f"seed={options.seed}", *options.set])
    if options.steps:
        recipe = recipe.model_copy(update={"steps": options.steps, "epochs": None})
    else:  # as many as fit
        recipe = recipe.model_copy(update={"steps": None, "epochs": 1.0})
    if not by_lexel:
        tower_and_rate(options.contestant, options.peer)  # before anything is read
    measure = measurer(options.data, sets, DATA_FOLDER)
    seconds = 60 * options.minutes
    if by_lexel:
        points = run_lexel(recipe, seconds, options.points, measure, say)
    else:
        points = run_open_clip(options.contestant, recipe, options.peer, seconds, options.points, measure, say)
    settings = {"recipe": path, "changes": options.set, "steps": options.steps}
    name = options.name or options.contestant
    row = Row(name, options.data, sets, options.seed, options.minutes, settings, machine(), points)
    append(options.rows, row)
    print(table([row]))


def show(paths: list[Path], picture: Path | None) -> None:
    rows = read(paths)
    print(table(rows))
    if picture:
        plot(rows, picture)
        print(f"{picture} shows quality against time.")


def machine() -> dict[str, str]:
    return {"processor": platform.processor() or platform.machine(), "torch": torch.__version__, "threads": "1"}


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
