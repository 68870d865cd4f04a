"""Progress of long work, on standard error: a live bar on a terminal, a plain line now and then elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from lexel.terminal import escape_controls, one_line, unescaped

Item = TypeVar("Item")

_is_silent: ContextVar[bool] = ContextVar("_is_silent", default=False)
PLAIN_LINE_EVERY = 15.0  # seconds, where there is no terminal


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Pass the items on while showing how many are done, how fast, and the time left."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # pyright: ignore[reportArgumentType]
    if not is_main_process():
        yield from items
    elif sys.stderr.isatty():
        yield from _live(items, what, total)
    else:
        yield from _plain(items, what, total)


def _live(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(TextColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.1f}/s" if task.speed else "")

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), Speed(""), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=unescaped(sys.stderr)), transient=True) as progress:
        yield from progress.track(items, total=total, description=one_line(what))


def _plain(items: Iterable[Item], what: str, total: int | None) -> Iterator[Item]:
    began = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - said >= PLAIN_LINE_EVERY:
            said = time.monotonic()
            speed = done / (said - began)
            rest = f" of {total:,}, {speed:,.1f}/s, {duration((total - done) / speed)} left" if total else ""
            say(f"{what}: {done:,}{rest}")


def duration(seconds: float) -> str:
    """A length of time in units that people read: "under 1 s", "45 s", "12 min 05 s", "3 h 20 min", "5 days"."""
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, whole_minutes = divmod(minutes, 60)
    if hours >= 72:
        return f"{hours / 24:,.0f} days"
    if hours:
        return f"{hours} h {whole_minutes:02} min"
    if minutes:
        return f"{minutes} min {whole_seconds:02} s"
    return f"{whole_seconds} s" if whole_seconds else "under 1 s"


@contextmanager
def show_downloads() -> Iterator[Callable[[str, int, int | None], None]]:
    """Yield a function that shows how far a download is: its arguments: file name, bytes so far, all bytes or None."""
    if sys.stderr.isatty():
        with _live_downloads() as show:
            yield show
    else:
        yield _plain_downloads()


@contextmanager
def _live_downloads() -> Iterator[Callable[[str, int, int | None], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=unescaped(sys.stderr))) as progress:
        tasks: dict[str, TaskID] = {}

        def show(name: str, here: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(one_line(name), completed=here, total=total)
            progress.update(tasks[name], completed=here, total=total)

        yield show


def _plain_downloads() -> Callable[[str, int, int | None], None]:
    said = time.monotonic()

    def show(name: str, here: int, total: int | None) -> None:
        nonlocal said
        if here == total or time.monotonic() - said >= PLAIN_LINE_EVERY:
            said = time.monotonic()
            say(f"{name}: {here / 1e6:,.1f}{f' of {total / 1e6:,.1f}' if total else ''} MB")

    return show


def say(message: str) -> None:
    """One line to the user on standard error, where it does not mix with results; see `is_main_process`."""
    if is_main_process():
        print(escape_controls(message), file=sys.stderr, flush=True)


@contextmanager
def silence() -> Iterator[None]:
    """Within it this thread says and shows nothing: a server works for others than who reads its standard error."""
    before = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(before)


def is_main_process() -> bool:
    """Whether this process speaks to the user: rank 0 of those that torchrun started, or the only one; not silenced."""
    return os.environ.get("RANK", "0") == "0" and not _is_silent.get()
