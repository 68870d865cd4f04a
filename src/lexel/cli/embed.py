"""`lexel embed`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json, Model, NumberFormat, Runtime


def embed(
    model: Model,
    source: Annotated[str, typer.Argument(help="A folder, a table, class folders, or scenes:N.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Parquet file to write.", show_default=False)
    ],
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Embed every picture of a source into a Parquet file. The same command again goes on where it was cut off.

    \b
    Example:
      lexel embed runs/demo/model photos/ -o photos.parquet
    """
    from lexel.cli.printing import print_json
    from lexel.data.readers import read_source
    from lexel.loading import load
    from lexel.progress import say
    from lexel.search.embed import embed_source

    found = read_source(source, text_required=False)
    for note in found.notes:
        say(note)
    encoder = load(model, runtime=runtime, number_format=number_format)
    done = embed_source(encoder, found, output)
    if json:
        print_json(
            {
                "output": str(done.path),
                "images": done.images,
                "unreadable": len(done.unreadable),
                "dimensions": done.dimensions,
                "fingerprint": encoder.fingerprint,
            }
        )
    else:
        print(f"{done.images:,} embeddings of {done.dimensions} numbers in {done.path}")
        if done.unreadable:
            print(f"{len(done.unreadable):,} could not be read; {done.bad_images} names them")
