"""Progress of long work, on standard error: a live bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

PLAIN_LINE_EVERY = 15.0  # seconds, where there is no terminal


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Pass the items on while showing how many are done, how fast, and the time left."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # pyright: ignore[reportArgumentType]
    if sys.stderr.isatty():
        yield from _live(items, what, total)
    else:
        yield from _plain(items, what, total)


def _live(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(items, total=total, description=what)


def _plain(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - said >= PLAIN_LINE_EVERY:
            said = time.monotonic()
            print(f"{what}: {done:,}{f' of {total:,}' if total else ''}", file=sys.stderr, flush=True)


def say(message: str) -> None:
    """One line to the user on standard error, where it does not mix with results."""
    print(message, file=sys.stderr, flush=True)
