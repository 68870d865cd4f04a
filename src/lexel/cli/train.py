"""`lexel train`"""

from typing import Annotated, Literal

import typer

from lexel.cli.options import Json, Output, Seed, Set, Steps, as_changes
from lexel.errors import UsageError
from lexel.progress import is_main_process

From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Begin from this model instead of anew: fine-tune it. The same as --set model.weights=MODEL.",
        show_default=False,
    ),
]
Profile = Annotated[
    int | None,
    typer.Option(
        "--profile",
        metavar="STEPS",
        min=1,
        help="Do not train: show where the time of a few steps goes. Into runs/NAME-profile.",
        show_default=False,
    ),
]
Plan = Annotated[bool, typer.Option("--plan", help="Do not train: tell what the run would need.")]
Gpu = Annotated[
    Literal["here", "a100", "h100", "h200", "l4", "rtx4090"] | None,
    typer.Option("--gpu", help="Plan for such accelerators; by itself for this machine.", show_default=False),
]
Gpus = Annotated[
    int | None, typer.Option("--gpus", min=1, help="Plan for so many of them; by itself 1.", show_default=False)
]
Mfu = Annotated[
    float | None,
    typer.Option(
        "--mfu", min=0.01, max=1, help="Plan for this share of their peak; by itself 0.3.", show_default=False
    ),
]
Pairs = Annotated[
    float | None,
    typer.Option(
        "--pairs",
        min=2,
        max=1e15,
        help="Plan for so many pairs, such as 400e6, instead of reading the source.",
        show_default=False,
    ),
]
Tokens = Annotated[
    int | None,
    typer.Option(
        "--tokens", min=2, help="Plan for captions of so many tokens, start and end included.", show_default=False
    ),
]
PairBytes = Annotated[
    float | None,
    typer.Option("--pair-bytes", min=1, max=1e15, help="Plan for so many stored bytes a pair.", show_default=False),
]


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|SOURCE", help="A recipe (.toml), or pictures with captions or labels.", show_default=False
        ),
    ],
    weights: From = None,
    output: Output = None,
    seed: Seed = None,
    steps: Steps = None,
    changes: Set = None,
    profile: Profile = None,
    plan: Plan = False,
    gpu: Gpu = None,
    gpus: Gpus = None,
    mfu: Mfu = None,
    pairs: Pairs = None,
    tokens: Tokens = None,
    pair_bytes: PairBytes = None,
    json: Json = False,
) -> None:
    """Train a CLIP. The same command again goes on where the run was cut off.

    A source is a folder with metadata.csv, a table, images with side-car .txt files, class folders, or scenes:N; the
    recipe is then chosen by its size. The run folder (--output, by itself runs/NAME) gets the model, a report of pairs
    that were not trained on, curves and a log.

    \b
    Examples:
      lexel train recipes/fashion.toml --set batch_size=128
      lexel train products.csv --output runs/products
      lexel train products.csv --from ViT-B-32/openai
      lexel train recipes/fashion.toml --profile 10
      torchrun --nproc-per-node 4 -m lexel train recipes/fashion.toml --set model.architecture=ViT-B-32
      lexel train --plan recipes/plans/vit-b-32.toml --pairs 400e6 --gpu a100 --gpus 128
    """
    from lexel.cli.printing import print_json, print_plan
    from lexel.training.default_recipe import default_recipe
    from lexel.training.recipe import Recipe

    words = ([f"model.weights={weights}"] if weights else []) + as_changes(changes, seed=seed, steps=steps)
    assumed = {"gpu": gpu, "gpus": gpus, "mfu": mfu, "pairs": pairs, "tokens": tokens, "pair_bytes": pair_bytes}
    given = {name: value for name, value in assumed.items() if value is not None}
    if given and not plan:
        raise UsageError(f"--{next(iter(given)).replace('_', '-')} says what to plan for. Add --plan, or leave it out.")
    if plan and profile:
        raise UsageError("--plan tells what a run would need, --profile takes some steps of it: give one of them.")
    described = Recipe.load(recipe, words) if recipe.endswith((".toml", ".json")) else default_recipe(recipe, words)
    if plan:
        from lexel.training.planning.plan import plan_run

        planned = plan_run(described, **given)
        print_json(planned.facts()) if json else print_plan(planned)
        return
    if profile:
        from lexel.training.profile import profile_run

        seen = profile_run(described, profile, output)
        if is_main_process():
            print_json(seen.facts()) if json else print(seen.table())
        return
    from lexel.training.trainer import train as run_training

    run = run_training(described, output)
    if not is_main_process():
        return
    if json:
        result = {"run": str(run.folder), "model": str(run.model), "training_seconds": run.training_seconds}
        print_json(result | {"metrics": run.report.metrics()})
    else:
        print(
            f"Model   {run.model}\nReport  {run.folder / 'report' / 'report.html'}\nCurves  {run.folder / 'curves.png'}"
        )
