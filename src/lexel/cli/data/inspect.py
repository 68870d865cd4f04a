"""`lexel data inspect`"""

from typing import Annotated

import typer

from lexel.cli.options import Json


def inspect(
    source: Annotated[str, typer.Argument(help="A folder, a table, class folders, or scenes:N.", show_default=False)],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Name columns as lexel train does: data.caption, data.label, data.image; or data.encoding.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="Another source: say what both have, such as train and test.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a source holds and what is wrong with it.

    Reads every picture and every caption. Columns of a table that are not taken are named.

    \b
    Examples:
      lexel data inspect products.csv
      lexel data inspect products.csv --set data.caption='"{colour} {title}"'
      lexel data inspect photos/train --against photos/test
    """
    from lexel.batches import cores
    from lexel.cli.data.print_audit import print_audit
    from lexel.cli.printing import print_json
    from lexel.data.audit import audit
    from lexel.data.readers import read_source
    from lexel.data.readers.column_settings import ColumnSettings
    from lexel.progress import say

    named = ColumnSettings.from_changes(columns or [])
    found = read_source(source, **named.arguments(), text_required=False)
    for note in found.notes:
        say(note)
    other = read_source(against, text_required=False) if against is not None else None
    result = audit(found, other, processes=cores())
    if json:
        print_json(result.to_json())
    else:
        print_audit(result)
