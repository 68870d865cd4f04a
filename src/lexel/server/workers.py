"""Several processes that answer on one socket, each with the model, its own share of the cores and its own batches."""

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess

from lexel.batches import cores
from lexel.errors import LexelError, UsageError
from lexel.progress import say
from lexel.server.app import create_app
from lexel.server.listening import ServePlan, ready_lines, server_config
from lexel.server.metrics import SHARED_FOLDER
from lexel.server.service import Service

START_SECONDS = 600.0  # that workers may take to load the model
_shares: list[Any] = []  # locks that this worker holds while it lives


@dataclass(frozen=True)
class WorkerApp:
    """Makes the application in a worker, on the worker's share of the cores."""

    plan: ServePlan
    folder: Path

    def __call__(self) -> FastAPI:
        share = keep_to_share(self.folder, self.plan.workers)
        try:
            service = Service.open(self.plan.target, self.plan.settings, self.plan.model)
        except LexelError as error:
            if share == 0:  # once for all
                say(f"lexel serve: {error}")
            sys.exit(STARTUP_FAILURE)
        return create_app(service, self.plan.settings, self.plan.log)


class AnnouncingSupervisor(Multiprocess):
    """uvicorn's supervisor, which starts dead workers again; it says when all of them are ready."""

    lines: list[str]

    def init_processes(self) -> None:
        super().init_processes()
        threading.Thread(target=self._announce, daemon=True).start()

    def _announce(self) -> None:
        if all(process.wait_until_ready(START_SECONDS, self.should_exit) for process in self.processes):
            for line in self.lines:
                say(line)


def serve_with_workers(plan: ServePlan, listener: socket.socket) -> None:
    """Serve with several processes until this one is asked to end; it then ends them and waits. Raises UsageError."""
    check_workers(plan.workers)
    folder = Path(tempfile.mkdtemp(prefix="lexel-serve-"))
    numbers = folder / "numbers"
    numbers.mkdir()
    os.environ[SHARED_FOLDER] = str(numbers)
    try:
        supervisor = AnnouncingSupervisor(server_config(plan, WorkerApp(plan, folder), is_factory=True), [listener])
        supervisor.lines = ready_lines(plan, listener)
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(LexelError.exit_status)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_workers(count: int) -> None:
    """Raise UsageError for more workers than cores: each holds the model, and more would not be faster."""
    if count > cores():
        raise UsageError(f"{count} workers are more than the {cores()} cores of this machine.")


def keep_to_share(folder: Path, workers: int) -> int:
    """Take a free share of the cores and return its number. The system releases the lock of a worker that died."""
    for number in range(workers):
        lock = open(folder / f"share-{number}", "wb")  # noqa: SIM115 - held as long as the worker lives
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _shares.append(lock)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[number::workers])
        return number
    return workers  # a dead one's lock is not given up yet: on all cores, until it starts again
