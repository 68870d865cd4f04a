"""`lexel profile`"""

from typing import Annotated

import typer

from lexel.cli.options import From, Json, Output, RecipeOrSource, Set, as_changes
from lexel.progress import is_main_process

MeasuredSteps = Annotated[int, typer.Option("--steps", min=1, help="Steps that are measured.")]


def profile(
    recipe: RecipeOrSource,
    steps: MeasuredSteps = 10,
    output: Output = None,
    weights: From = None,
    changes: Set = None,
    json: Json = False,
) -> None:
    """Show where the time of a training step goes. A few steps are taken and thrown away; no run is begun.

    Writes a table and a trace into a folder (--output, by default runs/NAME-profile).

    \b
    Examples:
      lexel profile recipes/fashion.toml
      lexel profile products.csv --steps 20 --set batch_size=512
    """
    from lexel.cli.printing import print_json
    from lexel.training.profile import profile_run

    profiled = profile_run(recipe, steps, output, changes=as_changes(changes, weights=weights))
    if is_main_process():
        print_json(profiled.facts()) if json else print(profiled.table())
