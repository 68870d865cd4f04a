"""What each process ends with when one of the processes that train together fails.

One process shows the user why, once: the main process (rank 0) or, if that is dead, process 1. A process "posts" the
reason to the common store, where the first failure wins.

| what stops this process                  | what it does               | what it ends with                           |
|------------------------------------------|----------------------------|---------------------------------------------|
| a LexelError of its own                  | posts; ends after the main | main: the error; others: its exit status    |
| RuntimeError or SIGTERM as a peer failed | reads the reason           | the one that shows: LexelError; others: 1  |
| RuntimeError while all others live       | posts                      | the error, with its traceback               |
| SIGTERM while all others live            | posts                      | exit status 143                             |
| any other exception of its own           | posts                      | the exception, with its traceback           |
| waiting in a collective for a dead peer  | its watchdog notices       | 1, by the watchdog, which shows the reason |

torch raises RuntimeError for its own trouble as well as for a peer that died during a collective, and torchrun sends
SIGTERM to the main process in both cases, so a process first looks whether all others still have a heartbeat.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lexel.errors import LexelError
from lexel.training.distributed.watchdog import Watchdog, failure_message


class TerminatedError(BaseException):
    """SIGTERM, which torchrun sends to the other processes when one has died. Like KeyboardInterrupt, no Exception."""


@contextmanager
def failing_together(watchdog: Watchdog, main: bool) -> Iterator[None]:
    """Within the block, a failure of this process ends the others, and theirs this one: see the table above."""
    failing = False

    def terminate(number: int, frame: FrameType | None) -> None:
        if not failing:  # else it is about to say why, and ends then
            raise TerminatedError

    before = signal.signal(signal.SIGTERM, terminate) if main else None
    try:
        yield
    except BaseException as error:
        failing = True
        raise _ending(error, watchdog, main) from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _ending(error: BaseException, watchdog: Watchdog, main: bool) -> BaseException:
    """What a process that `error` has stopped ends with."""
    if isinstance(error, LexelError):
        watchdog.post_failure(str(error))
        watchdog.leave_in_order()
        return error if main else SystemExit(error.exit_status)
    may_be_of_a_peer = isinstance(error, RuntimeError | TerminatedError)
    reason = watchdog.peer_failure() if may_be_of_a_peer else None
    if reason is not None:
        watchdog.leave_in_order()
        return LexelError(failure_message(reason)) if watchdog.is_reporter else SystemExit(1)
    watchdog.post_failure(f"{type(error).__name__}: {error}")
    return SystemExit(128 + signal.SIGTERM) if isinstance(error, TerminatedError) else error
