"""`lexel duplicates`"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexel.cli.options import Html, Json, LibraryFolder, Paths, Zero
from lexel.terminal import one_line

if TYPE_CHECKING:
    from lexel.curation.duplicates import Duplicates


def duplicates(
    library: LibraryFolder,
    threshold: Annotated[
        float, typer.Option(min=0.5, max=1, help="Least likeness of two copies; 1: exact copies only.")
    ] = 0.95,
    html: Html = None,
    paths: Paths = False,
    zero: Zero = False,
    json: Json = False,
) -> None:
    """Find exact and near copies of pictures. Nothing is deleted.

    Of each group it proposes to keep the picture with the most pixels; among equals the one with the most bytes, then
    the oldest. --paths prints the others.

    \b
    Examples:
      lexel duplicates photos.lexel --html duplicates.html
      lexel duplicates photos.lexel --threshold 1 -0 | xargs -0 ls -l
    """
    from lexel.cli.paths import print_paths, wants_paths
    from lexel.cli.printing import print_json
    from lexel.curation.duplicates import find_duplicates, summary, write_duplicates
    from lexel.library.library import Library

    paths = wants_paths(paths, zero, json)
    with Library.open(library) as opened:
        groups = find_duplicates(opened, threshold)
        if html:
            write_duplicates(html, groups, opened.records)
    if json:
        print_json([_as_json(group) for group in groups])
    elif paths:
        print_paths((other.path for group in groups for other in group.others), zero)
    else:
        for group in groups:
            print(f"keep    {one_line(group.keep.shown)}")
            for other, likeness in zip(group.others, group.likeness, strict=True):
                print(f"{'same' if other.hash == group.keep.hash else f'{likeness:.3f}':<7} {one_line(other.shown)}")
            print()
        print(summary(groups))


def _as_json(group: "Duplicates") -> dict[str, Any]:
    return {
        "exact": group.exact,
        "keep": {"id": group.keep.id, "path": group.keep.shown},
        "others": [
            {"id": other.id, "path": other.shown, "likeness": likeness, "same": other.hash == group.keep.hash}
            for other, likeness in zip(group.others, group.likeness, strict=True)
        ],
    }
