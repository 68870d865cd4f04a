"""`lexel map`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import (
    Json,
    LibraryFolder,
    LibraryModelOption,
    NumberFormat,
    Runtime,
    checked_file,
    chosen_model,
)


def map(
    library: LibraryFolder,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE.html", help="The page to write.", show_default=False, callback=checked_file
        ),
    ],
    model: LibraryModelOption = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Draw a map of a library's photos: what looks alike to the model lies close together.

    The page is one file with thumbnails, named groups, and captions if the library has some. The
    map is kept in the library's folder until photos change; lexel serve shows it too.

    \b
    Example:
      lexel map photos.lexel -o map.html
    """
    from lexel.cli.printing import print_json
    from lexel.curation.map_files import map_of
    from lexel.library.library import Library
    from lexel.progress import say
    from lexel.server.page.map_page import write_map_page

    with Library.open(library, chosen_model(model, runtime, number_format)) as opened:
        drawn = map_of(opened, lambda part: say(f"{part} …"))
        write_map_page(output, f"Map of {opened.path.name}", drawn)
    content = drawn.content
    if json:
        groups = [{"names": group["names"], "photos": group["count"]} for group in content["groups"]]
        rest = {"left_out": content["left_out"], "modality_gap": content["gap"], "page": str(output)}
        print_json({"photos": len(content["ids"]), "captions": len(content["texts"]), "groups": groups, **rest})
        return
    gap = "" if content["gap"] is None else f" Pictures and captions lie {content['gap']:.2f} apart (modality gap)."
    texts = f" and {len(content['texts']):,} captions" if content["texts"] else ""
    print(f"{len(content['ids']):,} photos{texts} in {len(content['groups'])} groups: {output}.{gap}")
