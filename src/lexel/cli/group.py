"""`lexel group`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Html, Json, LibraryFolder, LibraryModelOption, NumberFormat, Runtime, chosen_model
from lexel.errors import UsageError

if TYPE_CHECKING:
    from lexel.curation.groups import PhotoGroup
    from lexel.library.library import Library


def group(
    library: LibraryFolder,
    count: Annotated[str, typer.Option(metavar="N|auto", help="Number of groups; auto chooses it.")] = "auto",
    phrases: Annotated[
        str | None,
        typer.Option(
            metavar="A,B…|FILE.txt", help="Names to choose from, separated by commas, or a file.", show_default=False
        ),
    ] = None,
    html: Html = None,
    model: LibraryModelOption = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Put a library's photos into groups that look alike, and name each.

    The same library gives the same groups. Names come from the photos' own captions and tags and a small vocabulary.

    \b
    Examples:
      lexel group photos.lexel --html groups.html
      lexel group photos.lexel --count 8 --phrases "people,animals,buildings,landscapes,food"
    """
    from lexel.cli.printing import print_json
    from lexel.curation.groups import group_library, write_groups
    from lexel.evaluation.texts.labels import read_labels
    from lexel.library.library import Library

    wanted = _count(count)
    names = read_labels(phrases) if phrases is not None else None
    with Library.open(library, chosen_model(model, runtime, number_format)) as opened:
        groups = group_library(opened, wanted, names)
        if html:
            write_groups(html, groups, opened)
        if json:
            print_json([{"names": list(group.names), "photos": _photos(opened, group)} for group in groups])
        else:
            for group in groups:
                typical = Path(opened.records.photo(int(group.ids[0])).shown).name
                print(f"{len(group.ids):7,}  {', '.join(group.names):<50}  {typical}")


def _photos(library: "Library", group: "PhotoGroup") -> list[dict[str, object]]:
    return [{"id": photo.id, "path": photo.shown} for photo in library.records.photos(group.ids)]


def _count(given: str) -> int | None:
    if given == "auto":
        return None
    if not given.isdigit() or int(given) < 1:
        raise UsageError(f'--count takes a number from 1, or auto, not "{given}".')
    return int(given)
