"""`lexel train`"""

from typing import Annotated

import typer

from lexel.cli.options import Json, Output, Seed, Set, Steps, as_changes


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|SOURCE", help="A recipe (.toml), or pictures with captions or labels.", show_default=False
        ),
    ],
    output: Output = None,
    seed: Seed = None,
    steps: Steps = None,
    changes: Set = None,
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
    """
    from lexel.cli.printing import print_json
    from lexel.training.default_recipe import default_recipe
    from lexel.training.recipe import Recipe
    from lexel.training.trainer import train as run_training

    words = as_changes(changes, seed=seed, steps=steps)
    described = Recipe.load(recipe, words) if recipe.endswith((".toml", ".json")) else default_recipe(recipe, words)
    run = run_training(described, output)
    if json:
        result = {"run": str(run.folder), "model": str(run.model), "training_seconds": run.training_seconds}
        print_json(result | {"metrics": run.report.metrics()})
    else:
        print(
            f"Model   {run.model}\nReport  {run.folder / 'report' / 'report.html'}\nCurves  {run.folder / 'curves.png'}"
        )
