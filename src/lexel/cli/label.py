"""`lexel label`"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import (
    Json,
    Least,
    LibraryFolder,
    LibraryModelOption,
    NumberFormat,
    Runtime,
    Templates,
    Wording,
    chosen_model,
    chosen_templates,
)
from lexel.errors import UsageError
from lexel.files import check_new_file
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.curation.labelling import Labelled
    from lexel.curation.sidecars import SkippedFile
    from lexel.evaluation.texts.prompts import Prompts
    from lexel.library.library import Library
    from lexel.loading import ModelChoice


def label(
    library: LibraryFolder,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B…|FILE",
            help="Labels separated by commas; a text file with one a line; or a table with a label column.",
            show_default=False,
        ),
    ] = None,
    templates: Templates = None,
    wording: Wording = None,
    least: Least = "possible",
    several: Annotated[bool, typer.Option("--several", help="Give a photo every label that fits.")] = False,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="tags|xmp|FILE.csv",
            help="Write the labels: tags into the library, xmp beside the pictures (default: nothing is written).",
            show_default=False,
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo the last labelling; given again, the one before it.")
    ] = False,
    remove: Annotated[
        str | None,
        typer.Option(
            metavar="TAG",
            help="Remove this tag from all photos, and from side-cars where Lexel put it.",
            show_default=False,
        ),
    ] = None,
    model: LibraryModelOption = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Label a library's photos with words that you give (zero-shot). A photo that no word fits gets none.

    Existing tags and side-cars are extended; what they hold is not changed. What Lexel has added it also takes
    back: --undo, --remove.

    \b
    Examples:
      lexel label photos.lexel --labels "dog,cat,beach,mountain"
      lexel label photos.lexel --labels labels.txt --several --into tags
      lexel label photos.lexel --undo
      lexel label photos.lexel --remove dog
    """
    from lexel.evaluation.texts.prompts import read_prompts

    choice = chosen_model(model, runtime, number_format)
    taken_back = [name for name, given in (("--undo", undo), ("--remove", remove is not None)) if given]
    if taken_back:
        others = {
            "--labels": labels,
            "--into": into,
            "--templates": templates,
            "--wording": wording,
            "--several": several,
            "--model": model,
        }
        unfit = [*taken_back[1:], *(name for name, given in others.items() if given)]
        if unfit:
            raise UsageError(f"{taken_back[0]} and {unfit[0]} do not go together; give two commands.")
        _take_back(library, remove, json)
    elif labels is None:
        raise UsageError(f'Say what to do: lexel label {library} --labels "dog,cat", or --undo, or --remove TAG')
    else:
        _label(library, labels, read_prompts(chosen_templates(templates), wording), least, several, into, choice, json)


def _label(
    path: Path,
    labels: str,
    prompts: "Prompts",
    least: Least,
    several: bool,
    into: str | None,
    choice: "ModelChoice | None",
    json: bool,
) -> None:
    from lexel.cli.printing import print_json
    from lexel.curation.labelling import label_photos
    from lexel.curation.present import present_ids
    from lexel.evaluation.texts.labels import read_labels
    from lexel.library.library import Library

    if into is not None and into not in ("tags", "xmp") and not into.endswith(".csv"):
        raise UsageError(f'--into takes tags, xmp or a file name that ends in .csv, not "{into}".')
    if into is not None and into.endswith(".csv"):
        check_new_file(Path(into))
    words = read_labels(labels)
    with Library.open(path, choice) as library:
        present = present_ids(library)
        given = label_photos(library, words, prompts, least=least, several=several, among=present)
        if json:
            photos = {photo.id: photo.shown for photo in library.records.photos({one.id: None for one in given})}
            print_json([{"path": photos[one.id]} | asdict(one) for one in given])
        else:
            _show(given, words, len(present))
        if into is not None:
            _write(library, given, into)


def _take_back(path: Path, tag: str | None, json: bool) -> None:
    """Undo the last labelling, or remove the tag where one is given."""
    from lexel.cli.printing import print_json
    from lexel.curation.label_removal import remove_tag, undo_last
    from lexel.library.library import Library

    with Library.open(path) as library:
        if tag is None:
            labelling, done = undo_last(library.records)
            what = f"Taken back: {labelling.what}, of {labelling.made.replace('T', ' ')}."
        else:
            done = remove_tag(library.records, tag)
            what = f'Removed: "{tag}".'
    if json:
        skipped = [asdict(one) for one in done.skipped]
        print_json({"photos": done.tags, "sidecars": done.sidecars, "left_alone": skipped})
    else:
        tagged = counted(done.tags, "photo has", "photos have")
        print(f"{what} {tagged} other tags now, {counted(done.sidecars, 'side-car')} other keywords.")
    _end_with(done.skipped)


def _show(given: "Sequence[Labelled]", labels: list[str], photos: int) -> None:
    counts = Counter(one.label for one in given)
    strong = Counter(one.label for one in given if one.strength == "strong")
    for label in labels:
        print(f"{counts[label]:7,}  {label}" + (f"  ({strong[label]:,} strong)" if strong[label] else ""))
    print(f"{photos - len({one.id for one in given}):7,}  none of these")


def _write(library: "Library", given: "Sequence[Labelled]", into: str) -> None:
    from lexel.curation.label_writing import write_csv, write_sidecars, write_tags
    from lexel.progress import say

    if into == "tags":
        tagged = counted(write_tags(library.records, given), "photo has", "photos have")
        say(f"{tagged} got a new tag. To take them back: lexel label {library.path} --undo")
    elif into == "xmp":
        written, skipped = write_sidecars(library.records, given)
        say(f"{written:,} side-cars written. To take them back: lexel label {library.path} --undo")
        _end_with(skipped)
    else:
        write_csv(Path(into), library.records, given)
        say(f"{counted(len(given), 'label')} in {into}")


def _end_with(skipped: "Sequence[SkippedFile]") -> None:
    """Name what was left alone; the command has failed where anything was."""
    from lexel.progress import say

    for one in skipped:
        say(f"lexel label: {one.path} was left alone: {one.reason}")
    if skipped:
        raise typer.Exit(1)
