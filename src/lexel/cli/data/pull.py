"""`lexel data pull`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json


def pull(
    name: Annotated[str | None, typer.Argument(help="The data set: see --list.", show_default=False)] = None,
    folder: Annotated[
        Path | None, typer.Argument(help="The new folder (default: the data set's name).", show_default=False)
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the known data sets and their terms.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the downloaded archives in FOLDER.downloads.")] = False,
    json: Json = False,
) -> None:
    """Fetch a published data set, check it, and make it a folder that Lexel reads.

    After an interruption the same command continues. Read the terms of a data set before you use it.

    \b
    Examples:
      lexel data pull --list
      lexel data pull cifar10
      lexel evaluate MODEL cifar10/test
    """
    from lexel.cli.printing import print_json
    from lexel.data.named import catalog, find_named
    from lexel.data.named import pull as pull_named
    from lexel.errors import UsageError
    from lexel.progress import say, show_downloads

    if listed:
        known = list(catalog().values())
        if json:
            print_json([entry.model_dump(include={"name", "about", "terms", "home", "size"}) for entry in known])
        for entry in [] if json else known:
            print(f"{entry.name:<18} {entry.about}, {entry.size}")
            print(f"{'':<18} {entry.terms}{'; to be asked for' if entry.layout == 'by hand' else ''}")
        return
    if name is None:
        raise UsageError("Name a data set: lexel data pull NAME, or see them all: lexel data pull --list")
    dataset = find_named(name)
    target = Path(dataset.name) if folder is None else folder
    say(f"{dataset.name}: {dataset.about}, {dataset.size}. Terms: {dataset.terms} ({dataset.home})")
    with show_downloads() as progress:
        fetched = pull_named(dataset, target, progress, keep=keep)
    if json:
        print_json({"name": dataset.name, "folder": str(target), "fetched": fetched})
    else:
        print(f"{target} {'is ready' if fetched else 'is there already'}: lexel data inspect {target}")
