"""Calls side by side, each on one core, beside calls that have all cores: for runtimes that fix this when they open.

Such a runtime opens each tower twice, once for either kind of call; a job of many images or of one needs but one.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Literal, TypeVar

Opened = TypeVar("Opened")
Tower = Literal["image", "text"]


class Lanes(Generic[Opened]):
    """Knows which threads are in a lane, and opens a tower for them at its first call."""

    def __init__(self, open_tower: Callable[[Tower, bool], Opened]) -> None:
        """`open_tower(tower, in_lane)` opens a tower; with `in_lane` each of its calls keeps to one core."""
        self._open_tower = open_tower
        self._opened: dict[tuple[Tower, bool], Opened] = {}
        self._opening = threading.Lock()
        self._thread = threading.local()

    @contextmanager
    def lane(self) -> Iterator[None]:
        self._thread.in_lane = True
        try:
            yield
        finally:
            self._thread.in_lane = False

    def tower(self, tower: Tower) -> Opened:
        """The tower as this thread is to call it."""
        which = (tower, getattr(self._thread, "in_lane", False))
        with self._opening:
            if which not in self._opened:
                self._opened[which] = self._open_tower(*which)
            return self._opened[which]
