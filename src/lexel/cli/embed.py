"""`lexel embed`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, Model, NumberFormat, Runtime
from lexel.errors import UsageError
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.bulk.items import ItemSource
    from lexel.bulk.one_file import Embedded
    from lexel.bulk.shards import PartDone
    from lexel.loading import ModelChoice


def embed(
    model: Model,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|FOLDER/",
            help="A .parquet file, or .npy for both; or a folder for many files, also s3://bucket/folder/.",
            show_default=False,
        ),
    ],
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="A folder, a table, class folders, or scenes:N.", show_default=False),
    ] = None,
    texts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|COLUMN",
            help="Embed texts: a file with one a line or, with a table as SOURCE, one of its columns.",
            show_default=False,
        ),
    ] = None,
    npy: Annotated[bool, typer.Option("--npy", help="Write OUT.npy too, the embeddings alone, row by row.")] = False,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="Name a table's columns or encoding: data.image, data.caption, data.label, data.encoding.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Only the Kth of N parts, the others elsewhere.", show_default=False),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Work on a Ray cluster; local makes one here.", show_default=False),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows in each file of a folder (default: 8192).", show_default=False)
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only check that all parts of a folder are there and fit together.")
    ] = False,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Embed every picture of a source, or texts, into a Parquet file.

    The same command again goes on where it was cut off. A table's other columns are kept. Into a folder, many machines
    may work at once, each on a part; the last one writes _manifest.json.

    \b
    Examples:
      lexel embed ViT-B-32/openai photos/ -o photos.parquet
      lexel embed ViT-B-32/openai shop.csv --texts title -o titles.npy
      lexel embed ViT-B-32/openai photos/ -o photos-embedded/ --part 3/16
    """
    from lexel.bulk.one_file import embed_source
    from lexel.loading import ModelChoice
    from lexel.progress import say

    into_folder = _is_folder(output, part=part, ray=ray, rows=rows, finish=finish)
    if into_folder and npy:
        raise UsageError("--npy is for output into one file: -o OUT.npy")
    if finish:
        _finish(output, json)
        return
    found = _read(source, texts, columns or [])
    for note in found.notes:
        say(note)
    choice = ModelChoice(model, runtime, number_format)
    if into_folder:
        done = _embed_into_folder(choice, found, output, part, ray, rows)
        _show_part(done, output, part, json)
    else:
        path = Path(output)
        wants_array = npy or path.suffix == ".npy"
        encoder = choice.load()
        path = path.with_suffix(".parquet") if path.suffix == ".npy" else path
        _show_file(embed_source(encoder, found, path, npy=wants_array), encoder.fingerprint, json)


def _read(source: str | None, texts: str | None, columns: list[str]) -> "ItemSource":
    """The pictures or texts that are meant. Raises UsageError or DataError."""
    from lexel.bulk.texts import read_texts
    from lexel.data.readers import read_source
    from lexel.data.readers.column_settings import ColumnSettings

    named = ColumnSettings.from_changes(columns)
    if texts is not None:
        if columns:
            raise UsageError("--set names columns for pictures; with --texts the column of texts is all that is read.")
        return read_texts(texts, source)
    if source is None:
        raise UsageError("Say what to embed: lexel embed MODEL photos/ -o OUT.parquet, or --texts FILE for texts.")
    return read_source(source, **named.arguments(), text_required=False, keep_columns=True)


def _is_folder(output: str, **options: object) -> bool:
    from lexel.bulk.output_folder import is_remote

    is_file = output.endswith((".parquet", ".npy"))
    if output.endswith("/") or (not is_file and (Path(output).is_dir() or is_remote(output))):
        if options["part"] and options["ray"]:
            raise UsageError("--part and --ray are two ways of sharing the work; give one.")
        return True
    if is_remote(output):
        raise UsageError(f"Into a store many files are written: give a folder, -o {_stem(output)}/")
    for name, given in options.items():
        if given:
            raise UsageError(f"--{name} is for output into a folder: -o {_stem(output)}/")
    return False


def _stem(output: str) -> str:
    return output.removesuffix(".parquet").removesuffix(".npy")


def _embed_into_folder(
    choice: "ModelChoice", source: "ItemSource", output: str, part: str | None, ray: str | None, rows: int | None
) -> "PartDone":
    from lexel.bulk.plan import WHOLE, EmbeddingPart
    from lexel.bulk.shards import embed_part
    from lexel.bulk.table import need_pyarrow

    need_pyarrow()
    from lexel.bulk.output_folder import OutputFolder

    chosen = EmbeddingPart.parse(part) if part else WHOLE
    if ray:
        from lexel.bulk.ray import embed_on_ray

        return embed_on_ray(choice.load, source, OutputFolder.open(output), ray, rows)
    encoder = choice.load()  # first: a model that is not there must leave no empty folder
    return embed_part(encoder, source, OutputFolder.open(output), chosen, rows)


def _finish(output: str, json: bool) -> None:
    from lexel.bulk.output_folder import OutputFolder
    from lexel.bulk.plan import read_plan
    from lexel.bulk.shards import PartDone, finish
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
                **({"array": str(done.array)} if done.array else {}),
                done.kind: done.images,
                "unreadable": len(done.unreadable),
                **({"truncated": done.truncated} if done.kind == "texts" else {}),
                "dimensions": done.dimensions,
                "fingerprint": fingerprint,
            }
        )
        return
    beside = f" and {done.array}" if done.array else ""
    print(f"{done.images:,} embeddings of {done.dimensions} numbers in {done.path}{beside}")
    if done.unreadable:
        print(f"{len(done.unreadable):,} could not be read; {done.bad_images} names them")
    _note_truncated(done.truncated)


def _show_part(done: "PartDone", output: str, part: str | None, json: bool) -> None:
    from lexel.bulk.shards import BAD_IMAGES
    from lexel.cli.printing import print_json

    folder, manifest = output.rstrip("/"), done.manifest
    if json:
        print_json(
            {
                "output": output,
                done.plan.kind: manifest and manifest.images,
                "unreadable": manifest and manifest.unreadable,
                **({"truncated": manifest and manifest.truncated} if done.plan.kind == "texts" else {}),
                "dimensions": done.plan.dimensions,
                "fingerprint": done.plan.fingerprint,
                "files": {"written": done.written, "kept": done.kept, "to come": done.to_come},
            }
        )
    elif manifest is None:
        of_part = f" of part {part}" if part else ""
        print(f"{counted(done.written + done.kept, 'file')}{of_part} in {folder}/; {done.to_come:,} of others to come")
    else:
        count = f"{manifest.images:,} embeddings of {done.plan.dimensions} numbers"
        print(f"{count} in {counted(manifest.shards, 'file')} in {folder}/")
        if manifest.unreadable:
            print(f"{manifest.unreadable:,} could not be read; {folder}/{BAD_IMAGES} names them")
        _note_truncated(manifest.truncated)


def _note_truncated(count: int) -> None:
    from lexel.progress import say

    if count:
        say(f"{counted(count, 'text is', 'texts are')} longer than the model reads: what is beyond was left out.")
