"""Notices that another process of the training has failed or died, and ends this one instead of letting it wait.

A process that waits in a collective for a dead one gets an error at best (gloo) and waits for ever at worst (NCCL). So
each process writes a heartbeat to the common store every second and reads that of the next process; a process that
fails leaves its reason there. torchrun ends the other processes on its own machine; this works between machines too.

`failure.py` decides what a process ends with. The thread here ends it where its main thread cannot, because it waits.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from torch.distributed.distributed_c10d import Store

BEAT_SECONDS = 1.0  # between heartbeats
SUSPECT_SECONDS = 5 * BEAT_SECONDS  # without a heartbeat: dead, if something has gone wrong already
SILENT_SECONDS = 40 * BEAT_SECONDS  # without a heartbeat: dead
LEAVE_SECONDS = 20 * BEAT_SECONDS  # that other processes wait for the main one to end first
GRACE_SECONDS = 4 * BEAT_SECONDS  # for the main thread to end by an error of its own, before the watchdog ends it

STORE_IS_GONE = "the machine that kept the processes together is gone."


class Watchdog:
    """Of process `rank` of `size`, from when it is made until `stop`."""

    def __init__(self, store: Store, rank: int, size: int) -> None:
        # A connection of its own is free while a collective waits on the other.
        self._store: Store = store.clone()  # pyright: ignore[reportAttributeAccessIssue]
        self._rank, self._size = rank, size
        self._main_is_dead = False
        self._stopped = threading.Event()
        self._store.set(f"name/{rank}", f"process {rank} of {size} (pid {os.getpid()} on {socket.gethostname()})")
        self._store.set(f"beat/{rank}", "0")
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    @property
    def is_reporter(self) -> bool:
        """Whether this process shows the user why the job ends: the main process does or, if that is dead, the next."""
        return self._rank == (1 if self._main_is_dead else 0)

    def stop(self) -> None:
        """Neither write heartbeats nor watch others any more."""
        self._stopped.set()
        self._thread.join()

    def post_failure(self, reason: str) -> None:
        """Leave the reason why this process ends in the store, unless another process has failed before."""
        with suppress(RuntimeError):  # the store is gone, and so are those who would read it
            self._store.compare_set("failed", "", f"{self._name(self._rank)} failed: {reason}")

    def peer_failure(self) -> str | None:
        """Why a process other than this one has failed; None if all of them turn out to live. Takes seconds."""
        others = [rank for rank in range(self._size) if rank != self._rank]
        try:
            before = self._beats(others)
            deadline = time.monotonic() + SUSPECT_SECONDS
            while time.monotonic() < deadline and not self._posted_failure():
                time.sleep(BEAT_SECONDS / 4)
            after = self._beats(others)
            dead = [rank for rank, old, new in zip(others, before, after, strict=True) if old == new]
            return self._posted_failure() or (self._silent_death(dead[0]) if dead else None)
        except RuntimeError:
            return self._lost_store()

    def leave_in_order(self) -> None:
        """Stop, and let the main process end first: torchrun ends the others then, which must have nothing to say."""
        self.stop()
        with suppress(RuntimeError):  # the store is gone
            if self._rank == 0:
                self._store.set("left", "")
                return
            deadline = time.monotonic() + LEAVE_SECONDS
            while time.monotonic() < deadline and not self._main_is_dead and self._get("left") is None:
                time.sleep(BEAT_SECONDS / 4)
            time.sleep(BEAT_SECONDS / 4)

    def _watch(self) -> None:
        """Write heartbeats, and end this process when another one has failed or died."""
        beats, neighbour = 0, (self._rank + 1) % self._size
        last, seen = "", time.monotonic()
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                beats += 1
                self._store.set(f"beat/{self._rank}", str(beats))
                reason = self._posted_failure()
                beat = self._beats([neighbour])[0]
                if beat != last:
                    last, seen = beat, time.monotonic()
                elif time.monotonic() - seen > SILENT_SECONDS:
                    reason = reason or self._silent_death(neighbour)
            except RuntimeError:
                reason = self._lost_store()
            if reason and not self._stopped.wait(GRACE_SECONDS):
                if self.is_reporter:
                    print(f"lexel train: {failure_message(reason)}", file=sys.stderr, flush=True)
                os._exit(1)  # the main thread may wait in a collective that never ends

    def _silent_death(self, rank: int) -> str:
        self._main_is_dead = self._main_is_dead or rank == 0
        name = self._name(rank)
        return f"{name} died without a word: it was killed, perhaps because memory ran out, or its machine is gone."

    def _lost_store(self) -> str:
        self._main_is_dead = True  # torchrun and all schedulers keep the store on the main process's machine
        return STORE_IS_GONE

    def _posted_failure(self) -> str | None:
        return self._get("failed")

    def _beats(self, ranks: Sequence[int]) -> list[str]:
        return [self._get(f"beat/{rank}") or "" for rank in ranks]

    def _name(self, rank: int) -> str:
        return self._get(f"name/{rank}") or f"process {rank} of {self._size}"

    def _get(self, key: str) -> str | None:
        """The value of a key; None, without waiting, where there is none."""
        return self._store.get(key).decode() if self._store.check([key]) else None


def failure_message(reason: str) -> str:
    """What the user reads about a failure."""
    return f"{reason[0].upper()}{reason[1:]}\nThe same command goes on from the last snapshot."
