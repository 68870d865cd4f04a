"""`lexel embed`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, Model, NumberFormat, Runtime

if TYPE_CHECKING:
    from lexel.bulk.one_file import Embedded
    from lexel.bulk.shards import PartDone


def embed(
    model: Model,
    source: Annotated[str, typer.Argument(help="A folder, a table, class folders, or scenes:N.", show_default=False)],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER/",
            help="A Parquet file; or a folder for many of them, also s3://bucket/folder/.",
            show_default=False,
        ),
    ],
    part: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Only the Kth of N parts, the others elsewhere.", show_default=False),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Work on a Ray cluster; local makes one here.", show_default=False),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Pairs in each file of a folder; by itself 8192.", show_default=False)
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only check that all parts of a folder are there and fit together.")
    ] = False,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Embed every picture of a source into a Parquet file. The same command again goes on where it was cut off.

    Into a folder, many machines may work at once, each on a part; the last one writes _manifest.json.

    \b
    Example:
      lexel embed runs/demo/model photos/ -o photos.parquet
      lexel embed runs/demo/model photos/ -o photos-embedded/ --part 3/16
    """
    from lexel.bulk.one_file import embed_source
    from lexel.data.readers import read_source
    from lexel.loading import load
    from lexel.progress import say

    into_folder = _is_folder(output, part=part, ray=ray, rows=rows, finish=finish)
    if finish:
        _finish(output, json)
        return
    found = read_source(source, text_required=False)
    for note in found.notes:
        say(note)
    if into_folder:
        from lexel.loading import ModelChoice

        done = _embed_into_folder(ModelChoice(model, runtime, number_format), found, output, part, ray, rows)
        _show_part(done, output, part, json)
    else:
        encoder = load(model, runtime=runtime, number_format=number_format)
        _show_file(embed_source(encoder, found, Path(output)), encoder.fingerprint, json)


def _is_folder(output: str, **options: object) -> bool:
    from lexel.bulk.output_folder import is_remote
    from lexel.errors import UsageError

    is_there = Path(output).is_dir() and not output.endswith(".parquet")
    if output.endswith("/") or is_there or (is_remote(output) and not output.endswith(".parquet")):
        if options["part"] and options["ray"]:
            raise UsageError("--part and --ray are two ways of sharing the work; give one.")
        return True
    if is_remote(output):
        raise UsageError(f"Into a store many files are written: give a folder, -o {output.removesuffix('.parquet')}/")
    for name, given in options.items():
        if given:
            raise UsageError(f"--{name} is for output into a folder: -o {output.removesuffix('.parquet')}/")
    return False


def _embed_into_folder(choice, source, output: str, part: str | None, ray: str | None, rows: int | None) -> "PartDone":
    from lexel.bulk.shards import WHOLE, Part, embed_part
    from lexel.bulk.table import need_pyarrow

    need_pyarrow()
    from lexel.bulk.output_folder import OutputFolder

    chosen = Part.parse(part) if part else WHOLE
    if ray:
        from lexel.bulk.ray import embed_on_ray

        return embed_on_ray(choice.load, source, OutputFolder.open(output), ray, rows)
    encoder = choice.load()  # first: a model that is not there must leave no empty folder
    return embed_part(encoder, source, OutputFolder.open(output), chosen, rows)


def _finish(output: str, json: bool) -> None:
    from lexel.bulk.output_folder import OutputFolder
    from lexel.bulk.shards import PartDone, finish, read_plan
    from lexel.bulk.table import need_pyarrow
    from lexel.errors import DataError

    need_pyarrow()
    folder = OutputFolder.open(output)
    plan = read_plan(folder)
    to_come, manifest = finish(plan, folder)
    if to_come:
        raise DataError(f"{output}: {to_come:,} of {plan.shards:,} files are not there yet, or not of this plan.")
    _show_part(PartDone(plan, 0, plan.shards, 0, manifest), output, None, json)


def _show_file(done: "Embedded", fingerprint: str, json: bool) -> None:
    from lexel.cli.printing import print_json

    if json:
        print_json(
            {
                "output": str(done.path),
                "images": done.images,
                "unreadable": len(done.unreadable),
                "dimensions": done.dimensions,
                "fingerprint": fingerprint,
            }
        )
        return
    print(f"{done.images:,} embeddings of {done.dimensions} numbers in {done.path}")
    if done.unreadable:
        print(f"{len(done.unreadable):,} could not be read; {done.bad_images} names them")


def _show_part(done: "PartDone", output: str, part: str | None, json: bool) -> None:
    from lexel.bulk.shards import BAD_IMAGES
    from lexel.cli.printing import print_json

    folder, manifest = output.rstrip("/"), done.manifest
    if json:
        print_json(
            {
                "output": output,
                "images": manifest and manifest.images,
                "unreadable": manifest and manifest.unreadable,
                "dimensions": done.plan.dimensions,
                "fingerprint": done.plan.fingerprint,
                "files": {"written": done.written, "kept": done.kept, "to come": done.to_come},
            }
        )
    elif manifest is None:
        of_part = f" of part {part}" if part else ""
        print(f"{done.written + done.kept:,} files{of_part} in {folder}/; {done.to_come:,} of others are to come")
    else:
        count = f"{manifest.images:,} embeddings of {done.plan.dimensions} numbers"
        print(f"{count} in {manifest.shards:,} files in {folder}/")
        if manifest.unreadable:
            print(f"{manifest.unreadable:,} could not be read; {folder}/{BAD_IMAGES} names them")
