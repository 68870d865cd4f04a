"""Ctrl-C and SIGTERM end a run between two steps, after a snapshot; a second Ctrl-C ends it at once."""

import signal
from types import FrameType
from typing import Self


class Interruption:
    """Within the block, `requested` tells whether the user or the system has asked the run to stop."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Self:
        try:
            self._previous = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        except ValueError:  # only the main thread may listen; elsewhere whoever runs the thread does
            self._previous = {}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
