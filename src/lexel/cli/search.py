"""`lexel search`"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lexel.cli.options import Html, Json, NumberFormat, Paths, Runtime, Zero, checked_folder, chosen_model
from lexel.errors import UsageError
from lexel.terminal import counted, one_line

if TYPE_CHECKING:
    from lexel.library.cluster.library import ClusterLibrary
    from lexel.library.library import Library
    from lexel.library.search.query import Hit, Query
    from lexel.loading import ModelChoice


def search(
    library: Annotated[
        str, typer.Argument(help="The library: photos.lexel, or qdrant://host:6333/photos.", show_default=False)
    ],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help="Words for what the photos show.", show_default=False)
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Weights of the texts, then of --like: 1,0.5", metavar="N,N…", show_default=False)
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="PICTURE|N", help="More like this picture, or photo of that number.", show_default=False),
    ] = None,
    unlike: Annotated[
        list[str] | None, typer.Option(metavar="PICTURE|N", help="Less like this one.", show_default=False)
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Leave out photos that show this.", show_default=False)
    ] = None,
    literal: Annotated[
        bool, typer.Option("--literal", help='Take a word or two as they stand, not as "a photo of a …".')
    ] = False,
    keywords: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Words in caption, tags or file name; alone they need no model.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="SQL", help="A condition, such as \"width > 1000 AND camera LIKE 'Canon%'\"."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Only below this folder.", show_default=False)
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only photos taken on or after this day: 2024, 2024-05 …")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only photos taken before this day.", show_default=False)
    ] = None,
    orientation: Annotated[
        Literal["landscape", "portrait", "square"] | None,
        typer.Option(metavar="SHAPE", help="Only photos that are landscape, portrait or square.", show_default=False),
    ] = None,
    tag: Annotated[
        str | None, typer.Option(metavar="TAG", help="Only photos with this tag.", show_default=False)
    ] = None,
    least_side: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="Only photos whose shorter side is at least this long.", show_default=False
        ),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", help="Number of results.", min=1)] = 20,
    page: Annotated[int, typer.Option(metavar="N", help="Page of the results: 2, 3 …", min=1)] = 1,
    diversity: Annotated[float, typer.Option(metavar="X", help="Spread the results: 0 to 1.", min=0, max=1)] = 0.0,
    approximate: Annotated[bool, typer.Option("--approximate", help="Faster in a large library.")] = False,
    matches_only: Annotated[
        bool, typer.Option("--matches-only", help="Leave out what is unlikely to fit: for scripts.")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Draw the pictures in the terminal.")] = False,
    html: Html = None,
    copy: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Copy the photos there.", show_default=False, callback=checked_folder),
    ] = None,
    paths: Paths = False,
    zero: Zero = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The library's model, if it lies elsewhere now.", show_default=False),
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Find photos by words, by pictures, or by both.

    A word or two are looked for as "a photo of a …", a poem or paragraph sentence by sentence. What is only unlikely
    to fit is marked so; --matches-only leaves it out. --like, --unlike and --without may be given several times.
    Filters alone give the newest photos first. Photos whose files are missing come last, and --paths leaves them out.

    \b
    Examples:
      lexel search photos.lexel "a red bicycle in the snow"
      lexel search photos.lexel "a beach" --without people --after 2024 --html beach.html
      lexel search photos.lexel --like sunset.jpg --diversity 0.5 -0 | xargs -0 ls -l
    """
    from lexel.cli.paths import wants_paths
    from lexel.library.search.query import Query

    paths = wants_paths(paths, zero, json)
    words = list(texts or [])
    likes = [_picture(given) for given in like or []]
    factors = _weights(weights, len(words) + len(likes))
    query = Query(
        texts=list(zip(words, factors, strict=False)),
        like=list(zip(likes, factors[len(words) :], strict=False)),
        unlike=[_picture(given) for given in unlike or []],
        without=without or (),
        literal=literal,
        keywords=keywords,
        where=where,
        folder=folder,
        after=after,
        before=before,
        orientation=orientation,
        tag=tag,
        least_side=least_side,
        top=top,
        page=page,
        diversity=diversity,
        approximate=approximate or None,
        least="possible" if matches_only else "any",
    )
    chosen = chosen_model(model, runtime, number_format)
    with _open(library, chosen) as opened:
        hits = opened.find(query)
        if html:
            from lexel.library.pages.contact_sheet import write_sheet

            write_sheet(html, hits, opened.records.thumbnail, _title(words, like or [], keywords))
        if copy:
            _copy(hits, copy)
        if json:
            from lexel.cli.printing import print_json

            print_json([_as_json(hit) for hit in hits])
        elif paths:
            from lexel.cli.paths import print_paths

            print_paths((hit.photo.path for hit in hits if hit.is_there), zero)
        else:
            if preview and hits:
                from lexel.cli.preview import print_previews

                print_previews(hits, opened.records.thumbnail)
            _print_lines(hits)
        _say_what_to_know(hits, query, left_out=paths)
        if words or without:
            _say_if_model_tells_nothing(opened)


def _open(library: str, model: "ModelChoice | None") -> "Library | ClusterLibrary":
    """A library in a folder, or one on a cluster, which answers the same questions."""
    from lexel.library.cluster.collection import is_cluster
    from lexel.library.cluster.library import ClusterLibrary
    from lexel.library.library import Library

    return ClusterLibrary.open(library, model) if is_cluster(library) else Library.open(library, model)


def _title(texts: list[str], like: list[str], keywords: str | None) -> str:
    return ", ".join([*texts, *(f"like {picture}" for picture in like), *([keywords] if keywords else [])]) or "Photos"


def _print_lines(hits: "Sequence[Hit]") -> None:
    """A line for each photo: place, score, what speaks for it, path."""
    for place, hit in enumerate(hits, start=1):
        score = "" if hit.score is None else f"{hit.score:.3f}"
        sign = "keywords" if hit.strength == "unlikely" and hit.is_match else hit.strength or ""
        gone = "" if hit.is_there else "  (not there now)"
        print(f"{place:4}  {score:>6}  {sign:<9} {one_line(hit.photo.shown)}{gone}")


def _say_what_to_know(hits: "Sequence[Hit]", query: "Query", *, left_out: bool) -> None:
    """One line where nothing fits well, and one where files are not there; on standard error, beside any output."""
    from lexel.progress import say

    if not hits:
        more = "more " if query.page > 1 else ""
        fits = " that fits; without --matches-only the nearest are shown" if query.least != "any" else ""
        say(f"Nothing {more}found{fits}.")
    elif query.page == 1 and not any(hit.is_match for hit in hits):
        say("Nothing fits well: these are only the nearest.")
    gone = [hit for hit in hits if not hit.is_there]
    if gone:
        are = counted(len(gone), "photo is", "photos are")
        verdict = f"{are} left out: not" if left_out else f"{are} not"
        say(f"{verdict} on the disk now, such as {one_line(gone[0].photo.shown)}.")


def _say_if_model_tells_nothing(library: "Library | ClusterLibrary") -> None:
    """A library in a folder knows captions to judge its model by."""
    from lexel.library.library import Library
    from lexel.library.search.model_check import say_if_model_tells_nothing

    if isinstance(library, Library):
        say_if_model_tells_nothing(library)


def _as_json(hit: "Hit") -> dict[str, object]:
    photo = hit.photo
    return {
        "id": photo.id,
        "path": photo.shown,
        "score": hit.score,
        "match": hit.match,
        "strength": hit.strength,
        "keyword_rank": hit.keyword_rank,
        "is_there": hit.is_there,
        "why": hit.why,
        "width": photo.width,
        "height": photo.height,
        "taken": photo.taken,
        "caption": photo.caption,
        "tags": list(photo.tags),
    }


def _copy(hits: "Sequence[Hit]", folder: Path) -> None:
    """Copy the photos; one of a name that is taken gets its number before it. Nothing is overwritten.

    Raises UsageError when all is done for those that could not be copied.
    """
    from lexel.files import make_folder

    make_folder(folder)
    gone: list[str] = []
    for hit in hits:
        source, target = Path(hit.photo.path), folder / hit.photo.name
        try:
            if target.exists() and not _is_copy(target, source):
                target = folder / f"{hit.photo.id}-{hit.photo.name}"
            if not target.exists():
                shutil.copy2(source, target)
        except FileNotFoundError:
            gone.append(hit.photo.shown)
        except OSError as error:
            target.unlink(missing_ok=True)
            raise UsageError(f"Cannot copy {hit.photo.shown} to {folder}: {error.strerror}.") from None
    if gone:
        raise UsageError(f"Gone and not copied: {len(gone):,} of {counted(len(hits), 'photo')}, such as {gone[0]}.")


def _is_copy(target: Path, source: Path) -> bool:
    """Whether an earlier call copied it; times may be kept a little coarser."""
    one, other = target.stat(), source.stat()
    return one.st_size == other.st_size and abs(one.st_mtime - other.st_mtime) < 2


def _picture(given: str) -> str | int:
    """A file, or the number of a photo of the library."""
    if given.isascii() and given.isdigit() and not Path(given).exists():
        return int(given)
    if not Path(given).expanduser().is_file():
        raise UsageError(f"There is no picture {given}.")
    return given


def _weights(given: str | None, count: int) -> list[float]:
    if given is None:
        return [1.0] * count
    try:
        weights = [float(number) for number in given.split(",")]
    except ValueError:
        raise UsageError(f'--weights takes numbers with commas between them, such as 1,0.5, not "{given}".') from None
    if len(weights) != count:
        raise UsageError(
            f"{counted(len(weights), 'weight')} for {counted(count, 'text or picture', 'texts and pictures')}: "
            "give one for each."
        )
    return weights
