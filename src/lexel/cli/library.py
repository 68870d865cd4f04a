"""`lexel library`: upkeep of a library; `lexel index` makes one and `lexel search` asks it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, LibraryFolder, NumberFormat, Runtime, chosen_model
from lexel.terminal import counted

if TYPE_CHECKING:
    from lexel.library.upkeep.relocation import Relocation
    from lexel.library.upkeep.stats import Stats

library = typer.Typer(help="Upkeep of a photo library: what is in it, and whether it is whole.", no_args_is_help=True)


@library.callback()
def _library() -> None: ...


@library.command()
def stats(path: LibraryFolder, json: Json = False) -> None:
    """Count what is in a library: photos, captions, dates, folders, its model. Loads no model.

    \b
    Example:
      lexel library stats photos.lexel
    """
    from lexel.cli.printing import print_json
    from lexel.library.store.records import Records
    from lexel.library.upkeep.stats import stats as count

    with Records.open(path) as records:
        found = count(records)
    if json:
        print_json(asdict(found))
        return
    for name, value in _rows(found).items():
        if value is not None:
            print(f"{name:<18}{value}")


@library.command()
def check(path: LibraryFolder, json: Json = False) -> None:
    """Measure the recall of the search against comparing with every stored vector. Loads no model.

    \b
    Example:
      lexel library check photos.lexel
    """
    from lexel.cli.printing import print_json
    from lexel.errors import UsageError
    from lexel.library.library import Library

    with Library.open(path) as opened:
        if not opened.records.count:
            raise UsageError(f"{opened.path} has no photos yet to check the search with.")
        recall = opened.vectors.check()
    if json:
        print_json(asdict(recall))
        return
    part = f"{recall.approximate_recall_at_10:.1%} where it scans a part"
    print(
        f"Search finds {recall.recall_at_10:.1%} of the ten nearest that an exact one does, {part}: "
        f"{counted(recall.queries, 'query', 'queries')},\n{counted(recall.vectors, 'vector')}, {recall.kind}."
    )


@library.command()
def verify(
    path: LibraryFolder,
    repair: Annotated[
        bool, typer.Option("--repair", help="Let damaged photos be read from their files again by lexel index.")
    ] = False,
    json: Json = False,
) -> None:
    """Check every row of a library for damage, and say how to mend it.

    The exit status is 1 if something is damaged. Loads no model.

    \b
    Example:
      lexel library verify photos.lexel
    """
    from lexel.cli.printing import print_json
    from lexel.library.store.records import Records
    from lexel.library.upkeep import verification

    with Records.open(path) as records:
        repaired = verification.repair(records) if repair else None
        damages = verification.verify(records)
        if json:
            found = {"library": str(path), "damages": [asdict(damage) for damage in damages]}
            print_json(found if repaired is None else found | {"repaired": repaired})
        elif repaired is not None:
            print(f"{counted(repaired, 'photo is', 'photos are')} to be read again: lexel index {path}")
        if not damages and not json:
            print(f"{path} is whole: {counted(records.count, 'photo')}.")
    for damage in () if json else damages:
        print(f"{damage.what}\n  {damage.remedy}")
    if damages:
        raise typer.Exit(1)


@library.command()
def export(
    path: LibraryFolder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The Parquet file to write.", show_default=False)],
    json: Json = False,
) -> None:
    """Write all photos with their facts and vectors into one Parquet file, for other programs.

    \b
    Example:
      lexel library export photos.lexel photos.parquet
    """
    from lexel.library.library import Library

    with Library.open(path) as opened:
        _show_count("exported", opened.export(out), f"photos in {out}", json)


@library.command()
def remove(
    path: LibraryFolder,
    given: Annotated[list[str], typer.Argument(metavar="PATH…", help="Folders or files.", show_default=False)],
    json: Json = False,
) -> None:
    """Forget folders or files, and do not index them again. No picture is touched.

    To add them again, name them: lexel index photos.lexel PATH

    \b
    Example:
      lexel library remove photos.lexel ~/Pictures/screenshots
    """
    from lexel.library.library import Library

    with Library.open(path) as opened:
        _show_count("removed", sum(opened.remove(one) for one in given), "photos forgotten", json)


@library.command()
def reembed(
    path: LibraryFolder,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The library's model from now on.", show_default=False)],
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Embed all photos by another model.

    The old vectors stay in use until all new ones are there. After an interruption the same command continues.

    \b
    Example:
      lexel library reembed photos.lexel ViT-L-14/openai
    """
    from lexel.cli.printing import print_json
    from lexel.library.library import Library
    from lexel.progress import say

    try:
        with Library.open(path, chosen_model(model, runtime, number_format), reembed=True) as opened:
            result = {"library": str(opened.path), "photos": opened.records.count, "model": opened.records.model}
    except KeyboardInterrupt:
        say(f"\nStopped. {path} has its old vectors still; the same command goes on.")
        raise typer.Exit(1) from None
    if json:
        print_json(result)
    else:
        print(f"{result['library']}: {result['photos']:,} photos embedded by {result['model']}")


@library.command()
def relocate(
    path: LibraryFolder,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The folder as the library has it.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where it lies now.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look which photos are there.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where fewer than half of the photos are found.")] = False,
    json: Json = False,
) -> None:
    """Say where a folder of a library lies now: a renamed folder, another drive, another machine.

    Nothing is embedded; numbers, tags and captions stay. Each photo is looked for at its new place. Where fewer than
    half are found nothing is written, and the exit status is 1.

    \b
    Example:
      lexel library relocate photos.lexel /media/me/usb/Pictures ~/Pictures
    """
    from lexel.cli.printing import print_json
    from lexel.library.store.records import Records
    from lexel.library.upkeep.relocation import relocate as rewrite

    with Records.open(path) as records:
        done = rewrite(records, old, new, dry_run=dry_run, force=force)
    if json:
        print_json(asdict(done))
    else:
        print(_describe(done, path, new, dry_run))
    if not done.written and not dry_run:
        raise typer.Exit(1)


def _describe(done: "Relocation", path: Path, new: str, dry_run: bool) -> str:
    counts = f"{done.found:,} found, {done.changed:,} changed, {done.missing:,} missing"
    described = f"Of {counted(done.photos, 'photo')}, in {new}: {counts}"
    if done.joined:
        described += f"; {done.joined:,} were there twice and have one entry now"
    if dry_run:
        return f"{described}\nNothing was written."
    if not done.written:
        return f"{described}\nNothing was written, for most are not there. If it is the right place: --force"
    return described if done.found == done.photos else f"{described}\nBring it up to date: lexel index {path}"


def _rows(found: "Stats") -> dict[str, str | None]:
    span = f", {found.first_taken[:10]} to {(found.last_taken or '')[:10]}" if found.first_taken else ""
    absent = set(found.absent_folders)
    return {
        "photos": f"{found.photos:,}, {found.pictures:,} of them different; {found.photo_bytes / 1e9:,.2f} GB",
        "vanished": f"{found.vanished:,}" if found.vanished else None,
        "unreadable files": f"{found.unreadable:,}" if found.unreadable else None,
        "captions": f"{found.with_caption:,}",
        "tags": f"{found.with_tags:,}",
        "keywords": f"{found.with_keywords:,} with keywords in the file" if found.with_keywords else None,
        "dates": f"{found.with_date:,}{span}",
        "places": f"{found.with_place:,}",
        "cameras": ", ".join(f"{camera} ({count:,})" for camera, count in found.cameras) or None,
        "folders": ", ".join(f"{one} (not there now)" if one in absent else one for one in found.folders),
        "left out": "; ".join(f"{', '.join(given)} in {folder}" for folder, given in found.patterns.items()) or None,
        "model": f"{found.model} ({found.fingerprint}), {found.dimensions} numbers a vector",
        "size": f"{found.library_bytes / 1e6:,.1f} MB",
    }


def _show_count(what: str, count: int, said: str, json: bool) -> None:
    from lexel.cli.printing import print_json

    if json:
        print_json({what: count})
    else:
        print(f"{count:,} {said}")
