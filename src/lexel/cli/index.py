"""`lexel index`"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, NumberFormat, Runtime, chosen_model
from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.library.disk.indexing import Added
    from lexel.library.library import Library

MAX_FILES_NAMED = 10  # of those that could not be read


def index(
    library: Annotated[
        str, typer.Argument(help="The library, a folder of Lexel's own: photos.lexel. Made when it is not there.")
    ],
    folders: Annotated[
        list[str] | None,
        typer.Argument(help="Folders, files or tables; default: all that were added.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model of a new library; later it is remembered.", metavar="MODEL", show_default=False),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running until Ctrl-C; add new files within seconds.")
    ] = False,
    vanished: Annotated[
        bool, typer.Option("--vanished", help="Mark photos as gone even where nearly all of a folder are.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help='Leave out "*.png", drafts/ or 2019/raw, now and later; may be given again.',
            show_default=False,
        ),
    ] = None,
    no_exclude: Annotated[
        bool, typer.Option("--no-exclude", help="Forget the patterns of these folders first.")
    ] = False,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Make a library of folders of pictures, and keep it up to date.

    Only new and changed files are embedded. The same command again goes on where it was cut off; without folders all
    that were added before are looked through. For what is in a library, and its upkeep: lexel library --help

    \b
    Examples:
      lexel index photos.lexel ~/Pictures --model ViT-B-32/openai
      lexel index photos.lexel
    """
    from lexel.data.readers.source import check_there
    from lexel.errors import UsageError
    from lexel.library.cluster.collection import is_cluster
    from lexel.library.library import Library

    given = folders or []
    if is_cluster(library):
        if watch or vanished or model or runtime or number_format or exclude or no_exclude:
            raise UsageError(
                f"{library} is filled from what has been embedded: lexel index {library} photos.lexel, without options."
            )
        _fill_cluster(library, given, json)
        return
    for path in given:
        check_there(path)  # before a new library is made
    choice = chosen_model(model, runtime, number_format)
    chosen = _folders_to_exclude_from(given) if exclude or no_exclude else []
    with Library.open(library, choice, create=bool(given)) as opened:
        if exclude or no_exclude:
            opened.exclude(exclude or [], chosen, replace=no_exclude)
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
        there = counted(library.records.count, "photo is", "photos are")
        say(f"\nStopped. {there} in {library.path}; the same command goes on.")
        raise typer.Exit(1) from None
    _show_added(library, added, json)
    if watch:
        watched_folders(library)
        say("Watching; Ctrl-C ends it.")
        library.watch(lambda more: _show_added(library, more, json))


def _folders_to_exclude_from(given: list[str]) -> list[str]:
    """Those of what is given; none where nothing is given, which means all that were added."""
    from lexel.errors import UsageError

    folders = [path for path in given if Path(path).expanduser().is_dir()]
    if given and not folders:
        raise UsageError(f"--exclude belongs to a folder, and {given[0]} is none.")
    return folders


def _fill_cluster(address: str, given: list[str], json: bool) -> None:
    """Put a library, or what `lexel embed` has written into a folder, onto a Qdrant cluster."""
    from lexel.bulk.output_folder import OutputFolder, is_remote
    from lexel.cli.printing import print_json
    from lexel.errors import UsageError
    from lexel.library.cluster.collection import Collection
    from lexel.library.cluster.filling import fill_from_folder, fill_from_records
    from lexel.library.store.database.schema import DATABASE
    from lexel.library.store.records import Records

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
    if json:
        print_json({"filled": count})
    else:
        print(f"{counted(count, 'photo')} put into {address}")


def _show_added(library: "Library", added: "Added", json: bool) -> None:
    from lexel.cli.printing import print_json
    from lexel.library.store.database.paths import readable
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
    print(f"{library.path}: {counted(library.records.count, 'photo')}; {said}", flush=True)
    if added.unreadable:
        print(f"{len(added.unreadable):,} could not be read:")
        for path, reason in added.unreadable[:MAX_FILES_NAMED]:
            print(f"  {one_line(readable(path))}: {reason}")
        if len(added.unreadable) > MAX_FILES_NAMED:
            print("  …")
