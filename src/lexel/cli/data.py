"""`lexel data`"""

from typing import Annotated

import typer

from lexel.cli.options import Json

data = typer.Typer(help="Look at data before learning from it.", no_args_is_help=True)


@data.callback()
def _data() -> None: ...


@data.command()
def inspect(
    source: Annotated[str, typer.Argument(help="A folder, a table, class folders, or scenes:N.", show_default=False)],
    json: Json = False,
) -> None:
    """Tell what is in a source and what is wrong with it.

    Reads every picture and every caption.

    \b
    Example:
      lexel data inspect products.csv
    """
    from lexel.cli.printing import print_audit, print_json
    from lexel.data.audit import audit
    from lexel.data.readers import read_source
    from lexel.progress import say

    found = read_source(source, text_required=False)
    for note in found.notes:
        say(note)
    result = audit(found)
    if json:
        print_json(result.to_json())
    else:
        print_audit(result)
