"""`lexel classify`"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexel.cli.options import (
    Json,
    Model,
    NoCache,
    NumberFormat,
    Runtime,
    Templates,
    Wording,
    checked_file,
    chosen_templates,
)
from lexel.errors import UsageError
from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.data.pairs import Source
    from lexel.encoder import Encoder
    from lexel.evaluation.classifier import ZeroShotClassifier
    from lexel.evaluation.image_rows import ImageRow
    from lexel.evaluation.ranking import JudgedText
    from lexel.evaluation.texts.prompts import Prompts


def classify(
    model: Model,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image files, folders or globs, or one table of images; - reads standard input. With --save, none.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="A,B…|FILE",
            help="Labels separated by commas; a text file with one a line; or a table with a label column.",
            show_default=False,
        ),
    ] = None,
    templates: Templates = None,
    wording: Wording = None,
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
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="SOURCE",
            help="Learn from labelled pictures, such as a folder with a folder for each class.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="FILE",
            help="Keep the classifier, such as pets.safetensors.",
            show_default=False,
            callback=checked_file,
        ),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option(
            "--classifier",
            metavar="FILE",
            help="Use a classifier that --save kept, in place of labels.",
            show_default=False,
        ),
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Classify images by the names of the classes (zero-shot), or by a few pictures of each class.

    Percentages compare the labels given; "match" is how well one label fits, whatever the others are.

    \b
    Examples:
      lexel classify ViT-B-32/openai photos/ --labels "dog,cat,beach"
      lexel classify runs/shop/model shop.csv --labels types.txt -o shop-typed.csv
      lexel classify ViT-B-32/openai --fit classes/ --save types.safetensors
      lexel classify ViT-B-32/openai photos/ --classifier types.safetensors
    """
    from lexel.cli.print_learned import learned_in_words
    from lexel.cli.printing import print_json
    from lexel.evaluation.image_rows import check_output, image_rows
    from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
    from lexel.evaluation.texts.long_texts import about_cut_texts
    from lexel.loading import load
    from lexel.progress import say

    wanted = _Choosing(labels, chosen_templates(templates) if templates else None, wording, fit, classifier)
    wanted.check(bool(images), saved=save is not None)
    if output is not None:
        check_output(output, images or [])
    rows, notes = image_rows(images) if images else ([], [])
    for note in notes:
        say(note)
    wanted.read()
    encoder = load(model, runtime=runtime, number_format=number_format)
    chosen = wanted.classifier(encoder, cached=not no_cache)
    if cut := about_cut_texts(encoder, chosen.prompts, "prompts"):
        say(f"Note: {cut}")
    learned = chosen.learned if fit else None
    if save is not None:
        chosen.save(save)
        say(f"Wrote {save}")
    if not images and json:
        print_json({"labels": list(chosen.labels)} | (learned.facts() if learned else {}))
    elif learned:
        (say if images else print)(learned_in_words(learned))
    if not images:
        return
    with_image = [number for number, row in enumerate(rows) if row.image is not None]
    judged, bad = chosen.judge([row.image for row in rows if row.image is not None], top=top)
    answers = {with_image[place]: found for place, found in judged.items()}
    failed = {with_image[place]: reason for place, reason in bad.items()}
    failed |= {number: "the row names no image" for number, row in enumerate(rows) if row.image is None}
    if output is not None:
        _write(output, rows, answers, failed)
    _show(rows, answers, failed, chosen, json=json, quiet=output is not None)
    if warning := about_drawn_scenes(encoder):
        say(warning)
    for number, reason in sorted(failed.items()):
        say(f"lexel classify: cannot read {reason}" if rows[number].image else f"lexel classify: {reason}")
    if failed:
        raise typer.Exit(1)


@dataclass
class _Choosing:
    """What to choose among, as the options say it."""

    labels: str | None
    templates: "str | list[str] | None"
    wording: Path | None
    fit: str | None
    saved: Path | None
    named: list[str] | None = None  # the labels, once they are read
    prompts: "Prompts | None" = None
    source: "Source | None" = None

    def check(self, images: bool, *, saved: bool) -> None:
        """Raise UsageError for options that do not go together."""
        if self.saved is not None and (self.labels or self.fit or self.templates or self.wording):
            raise UsageError(
                "--classifier brings its labels and templates: leave out --labels, --fit, --templates and --wording."
            )
        if not (self.labels or self.fit or self.saved):
            raise UsageError(
                "Say what to choose among: --labels dog,cat, or --fit CLASSES to learn from pictures, or --classifier."
            )
        if not images and not saved and not self.fit:
            raise UsageError("No images were given: there is nothing to classify.")

    def read(self) -> None:
        """The labels and the source to learn from, before the model is loaded."""
        from lexel.data.readers import read_source
        from lexel.evaluation.fitting import check_examples
        from lexel.evaluation.texts.labels import read_labels
        from lexel.evaluation.texts.prompts import read_prompts
        from lexel.progress import say

        self.named = read_labels(self.labels) if self.labels else None
        self.prompts = read_prompts(self.templates or "photo", self.wording)
        if self.fit:
            self.source = read_source(self.fit, prefer=("train",))
            check_examples(self.source, self.named)
            for note in self.source.notes:
                say(note)

    def classifier(self, encoder: "Encoder", *, cached: bool) -> "ZeroShotClassifier":
        from lexel.evaluation.classifier import ZeroShotClassifier
        from lexel.evaluation.evaluation_cache import default_cache
        from lexel.evaluation.fitting import fit_on_source
        from lexel.progress import say

        if self.saved is not None:
            return ZeroShotClassifier.load(self.saved, encoder)
        prompts = self.prompts
        assert prompts is not None  # read by now
        if self.source is None:
            return ZeroShotClassifier(encoder, self.named or [], prompts)
        cache = default_cache() if cached else None
        found, remarks = fit_on_source(encoder, self.source, self.named, prompts, cache)
        for remark in remarks:
            say(f"Note: {remark}")
        return found


def _show(
    rows: "list[ImageRow]",
    answers: "dict[int, list[JudgedText]]",
    failed: dict[int, str],
    classifier: "ZeroShotClassifier",
    *,
    json: bool,
    quiet: bool,
) -> None:
    """The answers as JSON or, when they are not `quiet` because they were written to a file, as lines."""
    from lexel.cli.print_judged import judged_as_json, note_on_percentages, print_judged
    from lexel.cli.printing import print_json

    compared = len(classifier.labels)
    if json:
        named = {i: {"labels": [judged_as_json(text, "label") for text in found]} for i, found in answers.items()}
        errors = {i: {"error": reason} for i, reason in failed.items()}
        print_json([{"image": row.name} | (named | errors)[i] for i, row in enumerate(rows)])
        return
    if not quiet:
        for number, found in sorted(answers.items()):
            print(one_line(rows[number].name))
            print_judged(found, compared, indent="  ")
    if classifier.learned and not classifier.learned.strengths.none:
        print("Note: The examples speak through the percentages; match says how well the words of a label fit.")
    elif note := note_on_percentages(answers.values(), compared, "label"):
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
    say(f"Wrote {output}: {counted(len(written), 'row')}, {len(answers):,} with a label")
    for column in left_out:
        say(f'Left out of {output.name}: "{column}", which holds the pictures themselves; Parquet keeps it')
