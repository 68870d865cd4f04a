"""`lexel filter`"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, NumberFormat, Paths, Runtime, Zero, checked_file, chosen_model
from lexel.errors import UsageError
from lexel.terminal import one_line

if TYPE_CHECKING:
    from lexel.curation.concepts.filtering import Filtered
    from lexel.loading import ModelChoice


def filter(
    photos: Annotated[
        str | None,
        typer.Argument(help="A library, a folder, a picture, or another source.", show_default=False),
    ] = None,
    concept: Annotated[
        str | None,
        typer.Option(
            metavar="WORDS|FOLDER",
            help="nsfw, violence, text, a trained head's folder, or your own words.",
            show_default=False,
        ),
    ] = None,
    clean: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Pictures without it, to choose the threshold by.", show_default=False),
    ] = None,
    false_positives: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Of pictures without it, how many may be flagged, by --clean or --no; by itself 0.01.",
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        str | None, typer.Option(metavar="NAME", help="Train a head from examples instead.", show_default=False)
    ] = None,
    yes: Annotated[str | None, typer.Option(metavar="FOLDER", help="Examples with it.", show_default=False)] = None,
    no: Annotated[str | None, typer.Option(metavar="FOLDER", help="Examples without it.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Of the head.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="For a folder; a library or head remembers its own.", show_default=False),
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

    By words alone it is a rough guess, and misses things; a head trained from a few hundred examples is far better.

    \b
    Examples:
      lexel filter photos.lexel --concept nsfw --review review.html
      lexel filter --train memes --yes memes/ --no photos/ --model runs/demo/model -o memes-head
      lexel filter ~/Downloads --concept memes-head --paths
    """
    from lexel.cli.paths import wants_paths
    from lexel.curation.concepts.filtering import filtered, write_scores
    from lexel.curation.concepts.review import write_review
    from lexel.curation.concepts.threshold import RATE
    from lexel.progress import say

    paths = wants_paths(paths, zero, json)
    choice = chosen_model(model, runtime, number_format)
    rate = RATE if false_positives is None else false_positives
    if train is not None:
        if photos is not None or concept is not None or yes is None or no is None or output is None or choice is None:
            raise UsageError(
                "Training takes: lexel filter --train NAME --yes FOLDER --no FOLDER --model MODEL -o FOLDER"
            )
        _train(train, yes, no, choice, output, rate, json)
        return
    if photos is None or concept is None:
        raise UsageError("Say where to look and for what: lexel filter photos.lexel --concept nsfw")
    if yes is not None or no is not None or output is not None:
        raise UsageError("--yes, --no and --output are for training a head: give --train NAME too.")
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


def _train(
    name: str, yes: str, no: str, choice: "ModelChoice", output: Path, false_positives: float, json: bool
) -> None:
    from lexel.cli.printing import print_json
    from lexel.curation.concepts.filtering import train_from
    from lexel.progress import say

    head, bad = train_from(name, yes, no, choice, false_positives)
    head.save(output)
    facts = head.facts
    for reason in bad:
        say(f"lexel filter: cannot read {reason}")
    if json:
        print_json(facts.model_dump(mode="json"))
    else:
        print(
            f"{name}, trained on {facts.trained_on[0]:,} examples with it and {facts.trained_on[1]:,} without, "
            f"is in {output}.\nOn examples kept apart, {facts.false_positives}.\n"
            f"Of {facts.recall_examples:,} with it, {facts.recall:.1%} are found "
            f"(95 % interval {facts.recall_low:.1%} to {facts.recall_high:.1%})."
        )


def _show(found: "Filtered", *, paths: bool, zero: bool, json: bool) -> None:
    from lexel.cli.paths import print_paths
    from lexel.cli.printing import print_json
    from lexel.library.store.paths import readable

    flagged = [one for one in found.judged if one.flagged]
    if json:
        rate = asdict(found.false_positives) if found.false_positives else None
        rows = [
            {"path": readable(one.name), "id": one.id, "score": one.score, "flagged": one.flagged}
            for one in found.judged
        ]
        print_json({"concept": found.name, "threshold": found.threshold, "false_positives": rate, "pictures": rows})
    elif paths:
        print_paths((one.name for one in flagged), zero)
    else:
        for one in flagged:
            print(f"{one.score:7.2f}  {one_line(readable(one.name))}")
        print(f"{len(flagged):,} of {len(found.judged):,} pictures are flagged. {found.measured}")
