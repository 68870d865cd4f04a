"""Notices that another process of the training has died, says why, and ends this one.

Whoever waits for a dead process in a collective is told at best (gloo) and waits for ever at worst (NCCL). So each
process leaves a sign of life in the common store every few seconds and looks for that of the next one; a process that
fails leaves its reason there. torchrun ends the others on its own machine by itself; this works between machines too.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from torch.distributed.distributed_c10d import Store

BEAT = 1.0  # seconds between signs of life
SUSPECT = 5 * BEAT  # without one: dead, if something has gone wrong already
SILENCE = 40 * BEAT  # without one: dead
FOR_LAST_WORDS = 20 * BEAT
GRACE = 4 * BEAT  # for a process to fail by itself for the reason that another one gave

STORE_IS_GONE = "the machine that kept the processes together is gone."


class Watch:
    """Of process `rank` of `size`, from when it is made until `stop`."""

    def __init__(self, store: Store, rank: int, size: int) -> None:
        # A connection of its own is free while a collective waits on the other.
        self._store: Store = store.clone()  # pyright: ignore[reportAttributeAccessIssue]
        self._rank, self._size = rank, size
        self._main_is_dead = False
        self._stopped = threading.Event()
        self._store.set(f"name/{rank}", f"process {rank} of {size} (pid {os.getpid()} on {socket.gethostname()})")
        self._store.set(f"beat/{rank}", "0")
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self._thread.start()

    @property
    def tells(self) -> bool:
        """Whether this process is to tell the user why the job ends: the first one is, or else the second."""
        return self._rank == (1 if self._main_is_dead else 0)

    def stop(self) -> None:
        """Be watched, and watch, no more."""
        self._stopped.set()
        self._thread.join()

    def fail(self, reason: str) -> None:
        """Leave word of why this process ends, unless another has failed before."""
        with suppress(RuntimeError):  # the store is gone: there is nobody left to be told
            self._store.compare_set("failed", "", f"{self._name(self._rank)} failed: {reason}")

    def blame(self) -> str | None:
        """Why a process other than this one has failed; None where all of them turn out to live. Takes seconds."""
        others = [rank for rank in range(self._size) if rank != self._rank]
        try:
            before = self._beats(others)
            deadline = time.monotonic() + SUSPECT
            while time.monotonic() < deadline and not self._reason():
                time.sleep(BEAT / 4)
            after = self._beats(others)
            dead = [rank for rank, old, new in zip(others, before, after, strict=True) if old == new]
            return self._reason() or (self._without_a_word(dead[0]) if dead else None)
        except RuntimeError:
            return self._without_store()

    def leave(self) -> None:
        """Stop, the main process first: torchrun ends those that are left, which must have said all there is to say."""
        self.stop()
        with suppress(RuntimeError):  # the store is gone
            if self._rank == 0:
                self._store.set("left", "")
                return
            deadline = time.monotonic() + FOR_LAST_WORDS
            while time.monotonic() < deadline and not self._main_is_dead and self._get("left") is None:
                time.sleep(BEAT / 4)
            time.sleep(BEAT / 4)

    def _look(self) -> None:
        """Beat, and end this process when another one has died."""
        beats, neighbour = 0, (self._rank + 1) % self._size
        last, seen = "", time.monotonic()
        while not self._stopped.wait(BEAT):
            try:
                beats += 1
                self._store.set(f"beat/{self._rank}", str(beats))
                reason = self._reason()
                beat = self._beats([neighbour])[0]
                if beat != last:
                    last, seen = beat, time.monotonic()
                elif time.monotonic() - seen > SILENCE:
                    reason = reason or self._without_a_word(neighbour)
            except RuntimeError:
                reason = self._without_store()
            if reason and not self._stopped.wait(GRACE):
                if self.tells:
                    print(f"lexel train: {in_words(reason)}", file=sys.stderr, flush=True)
                os._exit(1)  # the main thread may wait in a collective that never ends

    def _without_a_word(self, rank: int) -> str:
        self._main_is_dead = self._main_is_dead or rank == 0
        name = self._name(rank)
        return f"{name} died without a word: it was killed, perhaps because memory ran out, or its machine is gone."

    def _without_store(self) -> str:
        self._main_is_dead = True  # it is on that machine, as torchrun and all schedulers do it
        return STORE_IS_GONE

    def _reason(self) -> str | None:
        return self._get("failed")

    def _beats(self, ranks: Sequence[int]) -> list[str]:
        return [self._get(f"beat/{rank}") or "" for rank in ranks]

    def _name(self, rank: int) -> str:
        return self._get(f"name/{rank}") or f"process {rank} of {self._size}"

    def _get(self, key: str) -> str | None:
        """At once, whether it is there or not."""
        return self._store.get(key).decode() if self._store.check([key]) else None


def in_words(reason: str) -> str:
    """What a person is told about it."""
    return f"{reason[0].upper()}{reason[1:]}\nThe same command goes on from the last snapshot."
