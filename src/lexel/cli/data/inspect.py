"""`lexel data inspect`"""

from typing import Annotated

import typer

from lexel.cli.options import Html, Json, NoCache, NumberFormat, Runtime, chosen_model


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
            metavar="SOURCE", help="Another source: report what both have, such as train and test.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Also report how well texts fit, and how many are cut.", show_default=False),
    ] = None,
    html: Html = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Show what a source holds and what is wrong with it.

    Reads every picture and every caption, and lists the columns of a table that are not used.

    \b
    Examples:
      lexel data inspect products.csv --html products.html
      lexel data inspect products.csv --set data.caption='"{colour} {title}"'
      lexel data inspect photos/train --against photos/test --model ViT-B-32/openai
    """
    from lexel.batches import cores
    from lexel.cli.data.print_audit import print_inspection
    from lexel.cli.printing import print_json
    from lexel.curation.sources.inspection import inspect_source
    from lexel.data.readers import read_source
    from lexel.data.readers.column_settings import ColumnSettings
    from lexel.data.readers.source import check_there
    from lexel.evaluation.evaluation_cache import default_cache
    from lexel.progress import say

    named = ColumnSettings.from_changes(columns or [])
    choice = chosen_model(model, runtime, number_format)
    for given in (source, against):
        if given is not None:
            check_there(given)
    encoder = choice.load() if choice is not None else None
    found = read_source(source, **named.arguments(), text_required=False)
    for note in found.notes:
        say(note)
    other = read_source(against, text_required=False) if against is not None else None
    result = inspect_source(found, other, encoder, None if no_cache else default_cache(), cores())
    if html is not None:
        from lexel.curation.sources.inspection_page import render_inspection
        from lexel.files import write_atomically

        write_atomically(html, render_inspection(result))
    if json:
        print_json(result.to_json())
    else:
        print_inspection(result)
