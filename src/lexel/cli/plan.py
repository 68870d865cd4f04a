"""`lexel plan`"""

from typing import Annotated, Literal

import typer

from lexel.cli.options import From, Json, RecipeOrSource, Set, Steps, as_changes
from lexel.cli.verb import RARE

Gpu = Annotated[
    Literal["here", "a100", "h100", "h200", "l4", "rtx4090"],
    typer.Option("--gpu", help="The kind of accelerator; here: this machine, as it is measured now."),
]
Gpus = Annotated[int, typer.Option("--gpus", min=1, help="Number of accelerators.")]
Mfu = Annotated[
    float,
    typer.Option("--mfu", min=0.01, max=1, help="Share of their peak that is reached (model FLOPs utilization)."),
]
Pairs = Annotated[
    float | None,
    typer.Option(
        "--pairs",
        min=2,
        max=1e15,
        help="Number of pairs, such as 400e6: the source is then not read.",
        show_default=False,
    ),
]
Tokens = Annotated[
    int | None,
    typer.Option(
        "--tokens",
        min=2,
        help="Tokens of a caption, start and end included, instead of those measured.",
        show_default=False,
        rich_help_panel=RARE,
    ),
]
PairBytes = Annotated[
    float | None,
    typer.Option(
        "--pair-bytes",
        min=1,
        max=1e15,
        help="Stored bytes of a pair, instead of those measured.",
        show_default=False,
        rich_help_panel=RARE,
    ),
]


def plan(
    recipe: RecipeOrSource,
    gpu: Gpu = "here",
    gpus: Gpus = 1,
    mfu: Mfu = 0.3,
    pairs: Pairs = None,
    weights: From = None,
    steps: Steps = None,
    changes: Set = None,
    json: Json = False,
    tokens: Tokens = None,
    pair_bytes: PairBytes = None,
) -> None:
    """Estimate what a training run needs: time, memory, storage and network. Nothing is trained or written.

    Operations and bytes are counted from the recipe; docs/scaling.md says what is assumed.

    \b
    Examples:
      lexel plan products.csv
      lexel plan recipes/plans/vit-b-32.toml --pairs 400e6 --gpu a100 --gpus 128
    """
    from lexel.cli.print_plan import print_plan
    from lexel.cli.printing import print_json
    from lexel.training.planning.plan import plan_run

    planned = plan_run(
        recipe,
        changes=as_changes(changes, weights=weights, steps=steps),
        gpu=gpu,
        gpus=gpus,
        mfu=mfu,
        pairs=pairs,
        tokens=tokens,
        pair_bytes=pair_bytes,
    )
    print_json(planned.facts()) if json else print_plan(planned)
