"""`lexel models`"""

import typer

from lexel.cli.options import Json

models = typer.Typer(help="Named architectures.", no_args_is_help=True)


@models.callback()
def _models() -> None: ...


@models.command(name="list")
def list_models(json: Json = False) -> None:
    """List the named architectures with their size and work.

    Millions of parameters, and billions of operations for one image and for one caption.

    \b
    Example:
      lexel models list
    """
    from dataclasses import asdict

    from lexel.cli.printing import print_architectures, print_json
    from lexel.models.cost import describe
    from lexel.models.zoo import ARCHITECTURES

    costs = {name: describe(name) for name in ARCHITECTURES}
    if json:
        print_json({name: asdict(cost) for name, cost in costs.items()})
    else:
        print_architectures(costs)
