"""`lexel index`"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lexel.cli.options import Json, NumberFormat, Runtime, chosen_model

if TYPE_CHECKING:
    from lexel.library.disk.indexing import Added
    from lexel.library.library import Library
    from lexel.library.upkeep.stats import Stats
    from lexel.library.upkeep.verification import Problem

NAMED = 10  # unreadable files


def index(
    library: Annotated[
        str, typer.Argument(help="The library, a folder of Lexel's own: photos.lexel. Made when it is not there.")
    ],
    folders: Annotated[
        list[str] | None,
        typer.Argument(help="Folders, files or tables; by itself all that were added.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model of a new library; later it is remembered.", metavar="MODEL", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C: new files within seconds.")] = False,
    vanished: Annotated[
        bool, typer.Option("--vanished", help="Mark photos as gone even where nearly a whole folder is.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Forget these folders or files; none is touched.")] = False,
    reembed: Annotated[bool, typer.Option("--reembed", help="Take up another --model: embed all anew.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="Only say what is in the library.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only measure how exact its search is.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only look whether every row is whole.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Only write all of it into a Parquet file.", metavar="FILE", show_default=False)
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Make a library of folders of pictures, and keep it up to date.

    Only new and changed files are embedded. The same command again goes on where it was cut off; without folders it
    looks through all that were ever added.

    \b
    Example:
      lexel index photos.lexel ~/Pictures --model runs/demo/model
      lexel index photos.lexel
    """
    from lexel.errors import UsageError
    from lexel.library.cluster.library import is_cluster
    from lexel.library.library import Library

    task = _only_one(watch=watch, remove=remove, stats=stats, check=check, verify=verify, export=export is not None)
    if is_cluster(library):
        if task or reembed or model or runtime or number_format:
            raise UsageError(
                f"{library} is filled from what has been embedded: lexel index {library} photos.lexel, without options."
            )
        _fill_cluster(library, folders or [], json)
        return
    given = folders or []
    _check_given(task, given, reembed)
    if reembed and not model:
        raise UsageError("--reembed embeds all photos by another model. Name it: --model MODEL")
    choice = chosen_model(model, runtime, number_format)
    adds = task is None or task == "watch"
    with Library.open(library, choice, create=adds and bool(given), reembed=reembed) as opened:
        if task == "stats":
            _show_stats(opened.stats(), json)
        elif task == "check":
            _show_recall(opened, json)
        elif task == "verify":
            _show_problems(opened, opened.verify(), json)
        elif task == "export" and export is not None:
            _show_count("exported", opened.export(export), f"photos in {export}", json)
        elif task == "remove":
            _show_count("removed", sum(opened.remove(path) for path in given), "photos forgotten", json)
        else:
            _bring_up_to_date(opened, given, watch, vanished, json)


def _bring_up_to_date(library: "Library", given: list[str], watch: bool, vanished: bool, json: bool) -> None:
    from lexel.library.disk.indexing import Added
    from lexel.library.disk.watching import watched_folders
    from lexel.progress import say

    try:
        if given:
            added = sum((library.add(path, vanished=vanished) for path in given), Added())
        else:
            added = library.refresh(vanished=vanished)
    except KeyboardInterrupt:
        say(f"\nStopped. {library.records.count:,} photos are in {library.path}; the same command goes on.")
        raise typer.Exit(1) from None
    _show_added(library, added, json)
    if watch:
        watched_folders(library)
        say("Watching; Ctrl-C ends it.")
        library.watch(lambda more: _show_added(library, more, json))


def _fill_cluster(address: str, given: list[str], json: bool) -> None:
    """Put a library, or what `lexel embed` has written into a folder, onto a Qdrant cluster."""
    from lexel.bulk.output_folder import OutputFolder, is_remote
    from lexel.errors import UsageError
    from lexel.library.cluster.filling import fill_from_folder, fill_from_records
    from lexel.library.cluster.library import Collection
    from lexel.library.store.records import Records
    from lexel.library.store.schema import DATABASE

    collection = Collection.connect(address)
    if len(given) != 1 or not (is_remote(given[0]) or Path(given[0]).is_dir()):
        raise UsageError(
            f"A cluster is filled from one library, or one folder of embeddings:\n  lexel index {address} photos.lexel"
        )
    if (Path(given[0]) / DATABASE).exists():
        with Records.open(given[0]) as records:
            count = fill_from_records(collection, records)
    else:
        count = fill_from_folder(collection, OutputFolder.open(given[0]))
    _show_count("filled", count, f"photos put into {address}", json)


def _only_one(**tasks: bool) -> str | None:
    from lexel.errors import UsageError

    asked = [name for name, wanted in tasks.items() if wanted]
    if len(asked) > 1:
        raise UsageError(f"--{asked[0]} and --{asked[1]} are two tasks; give two commands.")
    return asked[0] if asked else None


def _check_given(task: str | None, given: list[str], reembed: bool) -> None:
    from lexel.errors import UsageError

    if task == "remove" and not given:
        raise UsageError("Say what to remove: lexel index LIBRARY FOLDER --remove")
    if task in ("stats", "check", "verify", "export") and (given or reembed):
        raise UsageError(f"--{task} changes nothing, so it takes {'no folders' if given else 'no --reembed'}.")


def _show_added(library: "Library", added: "Added", json: bool) -> None:
    from lexel.cli.printing import print_json
    from lexel.library.store.paths import readable
    from lexel.progress import say

    for note in added.notes:
        say(note)
    if json:
        bad = [{"path": readable(path), "reason": reason} for path, reason in added.unreadable]
        print_json(
            {"library": str(library.path), "photos": library.records.count} | asdict(added) | {"unreadable": bad}
        )
        return
    counts = {name: getattr(added, name) for name in ("new", "changed", "moved", "vanished", "unchanged")}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "new")
    print(f"{library.path}: {library.records.count:,} photos; {said}", flush=True)
    if added.unreadable:
        print(f"{len(added.unreadable):,} could not be read:")
        for path, reason in added.unreadable[:NAMED]:
            print(f"  {readable(path)}: {reason}")
        if len(added.unreadable) > NAMED:
            print("  …")


def _show_stats(stats: "Stats", json: bool) -> None:
    from lexel.cli.printing import print_json

    if json:
        print_json(asdict(stats))
        return
    span = f", {stats.first_taken[:10]} to {(stats.last_taken or '')[:10]}" if stats.first_taken else ""
    facts = {
        "photos": f"{stats.photos:,}, {stats.pictures:,} of them different; {stats.photo_bytes / 1e9:,.2f} GB",
        "vanished": f"{stats.vanished:,}" if stats.vanished else None,
        "unreadable files": f"{stats.unreadable:,}" if stats.unreadable else None,
        "captions": f"{stats.with_caption:,}",
        "tags": f"{stats.with_tags:,}",
        "dates": f"{stats.with_date:,}{span}",
        "places": f"{stats.with_place:,}",
        "cameras": ", ".join(f"{camera} ({count:,})" for camera, count in stats.cameras) or None,
        "folders": ", ".join(stats.folders),
        "model": f"{stats.model} ({stats.fingerprint}), {stats.dimensions} numbers a vector",
        "size": f"{stats.library_bytes / 1e6:,.1f} MB",
    }
    for name, value in facts.items():
        if value is not None:
            print(f"{name:<18}{value}")


def _show_problems(library: "Library", problems: "list[Problem]", json: bool) -> None:
    from lexel.cli.printing import print_json

    if json:
        print_json({"library": str(library.path), "problems": [asdict(problem) for problem in problems]})
    elif not problems:
        print(f"{library.path} is whole: {library.records.count:,} photos.")
    for problem in () if json else problems:
        print(f"{problem.what}\n  {problem.remedy}")
    if problems:
        raise typer.Exit(1)


def _show_recall(library: "Library", json: bool) -> None:
    from lexel.cli.printing import print_json
    from lexel.errors import UsageError

    if not library.records.count:
        raise UsageError(f"{library.path} has no photos yet to check the search with.")
    recall = library.vectors.check()
    if json:
        print_json(asdict(recall))
    else:
        part = f"{recall.approximate_recall_at_10:.1%} where it scans a part"
        print(
            f"Search finds {recall.recall_at_10:.1%} of the ten nearest that an exact one does, {part}: "
            f"{recall.queries:,} queries,\n{recall.vectors:,} vectors, {recall.kind}."
        )


def _show_count(what: Literal["removed", "exported", "filled"], count: int, said: str, json: bool) -> None:
    from lexel.cli.printing import print_json

    if json:
        print_json({what: count})
    else:
        print(f"{count:,} {said}")
