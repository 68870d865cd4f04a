"""`lexel sort`"""

from pathlib import Path
from typing import Annotated

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
    Wording,
    checked_folder,
    chosen_model,
    chosen_templates,
)


def sort(
    library: LibraryFolder,
    labels: Labels,
    into: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Where the folders go, one for each label.",
            show_default=False,
            callback=checked_folder,
        ),
    ],
    link: Annotated[bool, typer.Option("--link/--copy", help="Symbolic links instead of copies.")] = False,
    leave: Annotated[
        bool, typer.Option("--leave", help='Leave out photos that no label fits, instead of copying them to "other".')
    ] = False,
    least: Least = "possible",
    templates: Templates = None,
    wording: Wording = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    model: LibraryModelOption = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Copy or link a library's photos into a folder for each label. Nothing is moved, nothing overwritten.

    After an interruption the same command continues.

    \b
    Examples:
      lexel sort photos.lexel --labels "dog,cat,beach" --into sorted --dry-run
      lexel sort photos.lexel --labels "dog,cat,beach" --into sorted --link
    """
    from lexel.cli.printing import print_json
    from lexel.curation.labelling import label_photos
    from lexel.curation.sorting import folder_names, sort_photos
    from lexel.evaluation.texts.labels import read_labels
    from lexel.evaluation.texts.prompts import read_prompts
    from lexel.library.library import Library
    from lexel.progress import say

    words = read_labels(labels)
    prompts = read_prompts(chosen_templates(templates), wording)
    folder_names(words, leave)
    with Library.open(library, chosen_model(model, runtime, number_format)) as opened:
        given = label_photos(opened, words, prompts, least=least)
        how = "link" if link else "copy"
        try:
            done = sort_photos(opened, given, into, words, how=how, leave=leave, dry_run=dry_run)
        except KeyboardInterrupt:
            say("\nStopped. What is there is whole; the same command goes on.")
            raise typer.Exit(1) from None
    if json:
        print_json(
            {
                "into": str(into),
                "dry_run": dry_run,
                "folders": dict(done.folders),
                "new": done.new,
                "there": done.there,
                "left": done.left,
                "absent": [{"path": photo.path, "reason": photo.reason} for photo in done.absent],
                "problems": [{"path": problem.path, "reason": problem.reason} for problem in done.problems],
            }
        )
    else:
        for folder, count in done.folders.most_common():
            print(f"{count:7,}  {into / folder}")
        verb = "would be " if dry_run else ""
        left = f", {done.left:,} that no label fits left out" if leave else ""
        absent = f", {len(done.absent):,} not on the disk left out" if done.absent else ""
        print(f"{done.new:,} {verb}{'linked' if link else 'copied'}, {done.there:,} there already{left}{absent}.")
    for problem in done.problems:
        say(f"lexel sort: {problem.path}: {problem.reason}")
    if done.problems or done.absent:  # who removes the originals next must know that some were not taken
        raise typer.Exit(1)
