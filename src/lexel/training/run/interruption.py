"""Ctrl-C and SIGTERM end a run between two steps, after a snapshot; a second Ctrl-C ends it at once.

A scheduler and torchrun may both pass the same wish on: what comes in the same second is not another one.
"""

import signal
import time
from types import FrameType
from typing import Self

from lexel.errors import LexelError

SAME_WISH = 1.0  # seconds


class InterruptedRunError(LexelError):
    """The run was asked to stop, and did after saving a snapshot."""

    exit_status = 130

    @classmethod
    def after(cls, done: int, steps: int, saved: int | None) -> Self:
        """Of a run that was stopped after `done` of its steps, and goes on from the step that was `saved`."""
        there = "there" if saved == done else f"step {saved}"
        return cls(f"Stopped after step {done} of {steps}. The same command goes on from {there}.")


class Interruption:
    """Within the block, `requested` says whether the user or the system wants the run to stop."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self._since = 0.0  # on the monotonic clock

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
        if self.requested and number == signal.SIGINT and time.monotonic() - self._since > SAME_WISH:
            raise KeyboardInterrupt
        if not self.requested:
            self.requested, self._since = True, time.monotonic()
