"""`lexel filter`"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, NumberFormat, Paths, Runtime, Zero, checked_file, chosen_model
from lexel.errors import UsageError
from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.curation.concepts.filtering import Filtered


def filter(
    photos: Annotated[
        str, typer.Argument(help="A library, a folder, a picture, or another source.", show_default=False)
    ],
    concept: Annotated[
        str,
        typer.Option(
            metavar="WORDS|FOLDER",
            help="nsfw, violence, text, your own words, or the folder of a trained concept.",
            show_default=False,
        ),
    ],
    clean: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Pictures without it, to choose the threshold by.", show_default=False),
    ] = None,
    false_positives: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of the --clean pictures, how many may be flagged (default: 0.01).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="For a folder; a library or trained concept remembers its own.", show_default=False
        ),
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Write a page, blurred until clicked.",
            show_default=False,
            callback=checked_file,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write all scores.", show_default=False, callback=checked_file),
    ] = None,
    paths: Paths = False,
    zero: Zero = False,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Flag pictures that show a concept, such as what is not safe to show. Nothing is ever deleted or moved.

    By words alone it is a rough guess, and misses things; a concept trained on a few hundred examples is far better
    (lexel concept train). Where no picture fits the words at all, none is flagged.

    \b
    Examples:
      lexel filter photos.lexel --concept nsfw --review review.html
      lexel filter ~/Downloads --concept "a screenshot" --model ViT-B-32/openai --clean ~/Pictures
      lexel filter photos.lexel --concept memes-concept --paths
    """
    from lexel.cli.paths import wants_paths
    from lexel.curation.concepts.filtering import filtered, write_scores
    from lexel.curation.concepts.review import write_review
    from lexel.curation.concepts.threshold import FALSE_POSITIVE_RATE
    from lexel.progress import say

    paths = wants_paths(paths, zero, json)
    choice = chosen_model(model, runtime, number_format)
    rate = FALSE_POSITIVE_RATE if false_positives is None else false_positives
    if false_positives is not None and clean is None:
        raise UsageError("--false-positives needs --clean pictures without the concept, to choose the threshold by.")
    with filtered(photos, concept, choice, clean, rate) as found:
        if review:
            write_review(review, found)
    if table:
        write_scores(table, found)
    for reason in found.bad:
        say(f"lexel filter: cannot read {reason}")
    _show(found, paths=paths, zero=zero, json=json)
    if found.bad:
        raise typer.Exit(1)


def _show(found: "Filtered", *, paths: bool, zero: bool, json: bool) -> None:
    from lexel.cli.paths import print_paths
    from lexel.cli.printing import print_json
    from lexel.library.store.database.paths import readable

    flagged = [one for one in found.judged if one.flagged]
    if json:
        rate = asdict(found.false_positives) if found.false_positives else None
        rows = [
            {"path": readable(one.name), "id": one.id, "score": one.score, "flagged": one.flagged}
            for one in found.judged
        ]
        facts = {"concept": found.name, "threshold": found.threshold, "false_positives": rate, "note": found.why_none}
        print_json(facts | {"pictures": rows})
    elif paths:
        print_paths((one.name for one in flagged), zero)
    else:
        for one in flagged:
            print(f"{one.score:7.2f}  {one_line(readable(one.name))}")
        print(f"Flagged: {len(flagged):,} of {counted(len(found.judged), 'picture')}. {found.measured}")
