"""`lexel train`"""

from lexel.cli.options import (
    Adapt,
    Distill,
    From,
    Guard,
    Json,
    Languages,
    Output,
    RecipeOrSource,
    Seed,
    Set,
    Steps,
    as_changes,
)
from lexel.progress import is_main_process


def train(
    recipe: RecipeOrSource,
    weights: From = None,
    adapt: Adapt = None,
    distill: Distill = None,
    languages: Languages = None,
    guard: Guard = None,
    output: Output = None,
    seed: Seed = None,
    steps: Steps = None,
    changes: Set = None,
    json: Json = False,
) -> None:
    """Train a CLIP. The same command again goes on where the run was cut off.

    A source is a folder with metadata.csv, a table, images with side-car .txt files, class folders, or scenes:N; the
    recipe is then chosen by its size. The run folder (--output, by default runs/NAME) gets the model, a report on pairs
    that were not trained on, curves and a log. See also: lexel plan, lexel profile.

    \b
    Examples:
      lexel train recipes/fashion.toml --set batch_size=128
      lexel train products.csv --output runs/products
      lexel train products.csv --from ViT-B-32/openai --adapt lora --guard photos/test
      lexel train products.csv --distill ViT-L-14/openai --set model.architecture=lexel-xs
      lexel train products.csv --from ViT-B-32/openai --languages de,fr
      torchrun --nproc-per-node 4 -m lexel train recipes/fashion.toml
    """
    from lexel.cli.printing import print_json
    from lexel.training.trainer import train as run_training

    run = run_training(
        recipe,
        output,
        changes=as_changes(
            changes,
            weights=weights,
            adapt=adapt,
            teacher=distill,
            languages=languages,
            guards=guard,
            seed=seed,
            steps=steps,
        ),
    )
    if not is_main_process():
        return
    if json:
        result = {"run": str(run.folder), "model": str(run.model), "training_seconds": run.training_seconds}
        print_json(result | {"metrics": run.report.metrics()})
    else:
        print(
            f"Model   {run.model}\nReport  {run.folder / 'report' / 'report.html'}\nCurves  {run.folder / 'curves.png'}"
        )
