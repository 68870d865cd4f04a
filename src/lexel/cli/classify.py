"""`lexel classify`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexel.cli.options import Json, Labels, Model, NumberFormat, Runtime, Templates, chosen_templates
from lexel.terminal import one_line

if TYPE_CHECKING:
    from lexel.evaluation.image_rows import ImageRow
    from lexel.evaluation.ranking import JudgedText


def classify(
    model: Model,
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders or globs, or one table of images; - reads standard input.", show_default=False
        ),
    ],
    labels: Labels,
    templates: Templates = None,
    top: Annotated[int, typer.Option(min=1, help="How many labels to show for each image.")] = 3,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a table: .csv, .tsv, .jsonl or .parquet. A table's own columns are kept.",
            show_default=False,
        ),
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Sort images into classes named only now (zero-shot).

    Percentages compare the labels given; match says how well each fits, whatever the others are.

    \b
    Examples:
      lexel classify ViT-B-32/openai photos/ --labels "dog,cat,beach"
      lexel classify runs/shop/model shop.csv --labels types.txt -o shop-typed.csv
    """
    from lexel.evaluation.classifier import ZeroShotClassifier
    from lexel.evaluation.image_rows import check_output, image_rows
    from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
    from lexel.evaluation.texts.labels import read_labels
    from lexel.evaluation.texts.long_texts import about_cut_texts
    from lexel.loading import load
    from lexel.progress import say

    if output is not None:
        check_output(output, images)
    rows, notes = image_rows(images)
    named = read_labels(labels)
    for note in notes:
        say(note)
    encoder = load(model, runtime=runtime, number_format=number_format)
    classifier = ZeroShotClassifier(encoder, named, chosen_templates(templates))
    if cut := about_cut_texts(encoder, classifier.prompts, "prompts"):
        say(f"Note: {cut}")
    with_image = [number for number, row in enumerate(rows) if row.image is not None]
    judged, bad = classifier.judge([row.image for row in rows if row.image is not None], top=top)
    answers = {with_image[place]: found for place, found in judged.items()}
    failed = {with_image[place]: reason for place, reason in bad.items()}
    failed |= {number: "the row names no image" for number, row in enumerate(rows) if row.image is None}
    if output is not None:
        _write(output, rows, answers, failed)
    _show(rows, answers, failed, len(named), json=json, quiet=output is not None)
    if warning := about_drawn_scenes(encoder):
        say(warning)
    for number, reason in sorted(failed.items()):
        say(f"lexel classify: cannot read {reason}" if rows[number].image else f"lexel classify: {reason}")
    if failed:
        raise typer.Exit(1)


def _show(
    rows: "list[ImageRow]",
    answers: "dict[int, list[JudgedText]]",
    failed: dict[int, str],
    compared: int,
    *,
    json: bool,
    quiet: bool,
) -> None:
    """The answers as JSON or, when they are not `quiet` because they were written to a file, as lines."""
    from lexel.cli.print_judged import judged_as_json, note_on_percentages, print_judged
    from lexel.cli.printing import print_json

    if json:
        named = {i: {"labels": [judged_as_json(text, "label") for text in found]} for i, found in answers.items()}
        errors = {i: {"error": reason} for i, reason in failed.items()}
        print_json([{"image": row.name} | (named | errors)[i] for i, row in enumerate(rows)])
        return
    if not quiet:
        for number, found in sorted(answers.items()):
            print(one_line(rows[number].name))
            print_judged(found, compared, indent="  ")
    if note := note_on_percentages(answers.values(), compared, "label"):
        print(f"Note: {note}")


def _write(
    output: Path, rows: "list[ImageRow]", answers: "dict[int, list[JudgedText]]", failed: dict[int, str]
) -> None:
    """The rows with their labels in columns of their own: predicted_label, predicted_label_2 …"""
    from lexel.evaluation.image_rows import write_rows
    from lexel.progress import say

    kept = max((len(found) for found in answers.values()), default=1)
    written = []
    for number, row in enumerate(rows):
        columns: dict[str, Any] = dict(row.columns)
        found = answers.get(number, [])
        for place in range(kept):
            end = f"_{place + 1}" if place else ""
            text = found[place] if place < len(found) else None
            columns[f"predicted_label{end}"] = text.text if text else None
            columns[f"predicted_probability{end}"] = round(text.probability, 6) if text else None
            columns[f"predicted_match{end}"] = round(text.match, 6) if text else None
        columns["predicted_error"] = failed.get(number)
        written.append(columns)
    left_out = write_rows(output, written)
    say(f"Wrote {output}: {len(written):,} rows, {len(answers):,} with a label")
    for column in left_out:
        say(f'Left out of {output.name}: "{column}", which holds the pictures themselves; Parquet keeps it')
