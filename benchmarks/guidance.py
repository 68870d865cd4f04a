"""Ten prompts steered by one model and judged by another: strokes, pixels, and pixels without what keeps them honest.

    python benchmarks/guidance.py MODEL JUDGE [--photos .data/tinyimagenet_30k/val] [--out runs/guidance] [--only KIND]

MODEL steers, JUDGE was trained independently (recipes/everyday.toml and recipes/guidance-judge.toml make two). For
both: the mean cosine at the start and at the end, how many prompts rank first and how many among the first ten of the
usual distractors (chance is 1 and 10 in about 110), and the median rank. "one view" is pixels seen whole, without
random views and noise: what guidance would be without its safeguards.
--photos is a source with labels: what both models say of real photographs of the same things, PHOTOS_EACH of each.
Pictures are kept in --out and drawn only where they are missing, so --only lets several processes draw at once.
"""

import argparse
from pathlib import Path
from statistics import mean, median

from PIL import Image

import lexel
from lexel.encoder import Encoder
from lexel.generation.guidance.choose import make_generator
from lexel.generation.guidance.goals import Wish
from lexel.generation.guidance.guide import pictures_of
from lexel.generation.guidance.scores import GoalScore, Panel, default_distractors

PROMPTS = (
    "a photo of a school bus",
    "a photo of a goldfish",
    "a photo of a sports car",
    "a photo of a lighthouse",
    "a photo of a banana",
    "a photo of a king penguin",
    "a photo of a ladybug",
    "a photo of a pizza",
    "a photo of a seashore",
    "a photo of a jellyfish",
)
PHOTOS_EACH = 20
ONE_VIEW = {"views": 1, "noise": 0.0}  # the first view is the whole picture
KINDS = {"strokes": ("strokes", {}), "pixels": ("pixels", {}), "one view": ("pixels", ONE_VIEW)}


def main() -> None:
    """Draw what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("judge")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/guidance"))
    parser.add_argument("--photos")
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    for model in (options.model, options.judge):
        if not options.only and not Path(model).exists():
            parser.exit(message=f"There is no {model}: recipes/everyday.toml makes one. Skipped.\n")
    encoder = lexel.load(options.model)
    for kind in [options.only] if options.only else KINDS:
        draw_missing(encoder, kind, options)
    if options.only:
        return
    judge = lexel.load(options.judge)
    for kind in KINDS:
        print(f"\n{kind}, {options.steps} steps, {encoder.name} steers, {judge.name} judges")
        columns = " ".join(f"{f'{role}: cosine':>18} {'match':>6} {'rank':>5}" for role in ("steering", "judging"))
        print(f"{'prompt':<28} {columns}")
        guiding, judging = (scores(model, encoder, kind, options) for model in (encoder, judge))
        for prompt, own, other in zip(PROMPTS, guiding, judging, strict=True):
            print(f"{prompt:<28} {in_columns(own)} {in_columns(other)}")
        for role, found in (("steering", guiding), ("judging", judging)):
            print(f"  {role}: {summary(found)}")
    if options.photos:
        print("\nreal photographs")
        for role, model in (("steering", encoder), ("judging", judge)):
            print(f"  {role}: {of_photos(model, encoder, options.photos)}")


def of_photos(model: Encoder, guiding: Encoder, source: str) -> str:
    """What a model says of photographs whose label is in a prompt."""
    ranks, cosines = [], []
    for prompt in PROMPTS:
        pairs = [pair for pair in lexel.read_source(source).pairs if pair.label and prompt.endswith(f" {pair.label}")]
        panel = Panel(Wish(prompt), model, default_distractors(guiding))
        for pair in pairs[:PHOTOS_EACH]:
            (score,) = panel.judge(pair.picture.load(), pair.picture.load()).goals
            ranks.append(score.rank or 0)
            cosines.append(score.after)
    first, ten = mean(rank == 1 for rank in ranks), mean(rank <= 10 for rank in ranks)
    return (
        f"{len(ranks)} photographs, mean cosine {mean(cosines):.3f}, first {first:.0%}, among the first ten {ten:.0%}, "
        f"median rank {median(ranks):g}"
    )


def draw_missing(encoder: Encoder, kind: str, options: argparse.Namespace) -> None:
    """Draw the prompts of which there is no picture yet."""
    name, settings = KINDS[kind]
    for prompt in PROMPTS:
        file = file_of(kind, prompt, options)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = lexel.guide(encoder, prompt, generator=name, steps=options.steps, seed=options.seed, **settings)
            if made.stopped:
                raise SystemExit(130)
            if name == "strokes":
                made.save(file.with_suffix(".svg"))
            made.save(file)


def file_of(kind: str, prompt: str, options: argparse.Namespace) -> Path:
    """Where a picture is kept."""
    name = prompt.removeprefix("a photo of a ").replace(" ", "-")
    return options.out / f"{kind.replace(' ', '-')}-{options.steps}-{options.seed}" / f"{name}.png"


def scores(model: Encoder, guiding: Encoder, kind: str, options: argparse.Namespace) -> list[GoalScore]:
    """What a model says of each prompt's picture."""
    found = []
    for prompt in PROMPTS:
        start = pictures_of(make_generator(KINDS[kind][0], guiding, seed=options.seed), 512)[0]
        panel = Panel(Wish(prompt), model, default_distractors(guiding))
        found += panel.judge(start, Image.open(file_of(kind, prompt, options))).goals
    return found


def in_columns(score: GoalScore) -> str:
    """One score as three columns."""
    match = "–" if score.match is None else f"{score.match:.0%}"
    return f"{f'{score.before:.3f} → {score.after:.3f}':>18} {match:>6} {score.rank or 0:>5}"


def summary(found: list[GoalScore]) -> str:
    """Ten scores in one line."""
    ranks = [score.rank or 0 for score in found]
    first, ten = sum(rank == 1 for rank in ranks), sum(rank <= 10 for rank in ranks)
    return (
        f"mean cosine {mean(score.before or 0 for score in found):.3f} → {mean(score.after for score in found):.3f}, "
        f"first {first} of {len(found)}, among the first ten {ten}, median rank {median(ranks):g} of {found[0].of}"
    )


if __name__ == "__main__":
    main()
