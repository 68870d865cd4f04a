"""`lexel label`"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import (
    Json,
    Labels,
    Least,
    LibraryFolder,
    LibraryModelOption,
    NumberFormat,
    Runtime,
    Templates,
    chosen_model,
    chosen_templates,
)
from lexel.errors import UsageError

if TYPE_CHECKING:
    from lexel.curation.labelling import Labelled
    from lexel.library.library import Library


def label(
    library: LibraryFolder,
    labels: Labels,
    templates: Templates = None,
    least: Least = "possible",
    several: Annotated[bool, typer.Option("--several", help="Give a photo every label that fits.")] = False,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="tags|xmp|FILE.csv",
            help="Write them: tags into the library, xmp beside the pictures. By itself nothing is written.",
            show_default=False,
        ),
    ] = None,
    model: LibraryModelOption = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Label a library's photos with words named only now (zero-shot). What none of them fits gets none.

    Tags and side-cars that are there are added to; nothing in them is changed or taken away.

    \b
    Examples:
      lexel label photos.lexel --labels "dog,cat,beach,mountain"
      lexel label photos.lexel --labels labels.txt --several --into tags
    """
    from lexel.cli.printing import print_json
    from lexel.curation.labelling import label_photos
    from lexel.curation.present import present_ids
    from lexel.evaluation.labels import read_labels
    from lexel.library.library import Library

    if into is not None and into not in ("tags", "xmp") and not into.endswith(".csv"):
        raise UsageError(f'--into takes tags, xmp or a file name that ends in .csv, not "{into}".')
    words = read_labels(labels)
    with Library.open(library, chosen_model(model, runtime, number_format)) as opened:
        present = present_ids(opened)
        given = label_photos(opened, words, chosen_templates(templates), least=least, several=several, among=present)
        if json:
            photos = {photo.id: photo.shown for photo in opened.records.photos({one.id: None for one in given})}
            print_json([{"path": photos[one.id]} | asdict(one) for one in given])
        else:
            _show(given, words, len(present))
        if into is not None:
            _write(opened, given, into)


def _show(given: "Sequence[Labelled]", labels: list[str], photos: int) -> None:
    counts = Counter(one.label for one in given)
    strong = Counter(one.label for one in given if one.strength == "strong")
    for label in labels:
        print(f"{counts[label]:7,}  {label}" + (f"  ({strong[label]:,} strong)" if strong[label] else ""))
    print(f"{photos - len({one.id for one in given}):7,}  none of these")


def _write(library: "Library", given: "Sequence[Labelled]", into: str) -> None:
    from lexel.curation.labelling import write_csv, write_sidecars, write_tags
    from lexel.progress import say

    if into == "tags":
        say(f"{write_tags(library.records, given):,} photos have got a new tag.")
    elif into == "xmp":
        written, problems = write_sidecars(library.records, given)
        say(f"{written:,} side-cars written.")
        for problem in problems:
            say(f"lexel label: {problem.path} was left alone: {problem.reason}")
        if problems:
            raise typer.Exit(1)
    else:
        write_csv(Path(into), library.records, given)
        say(f"{len(given):,} labels in {into}")
