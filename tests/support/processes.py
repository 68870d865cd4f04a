"""Real processes that train together, for tests: fresh interpreters on the CPU that talk over gloo."""

import faulthandler
import os
import pickle
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing as multiprocessing

LONGEST = 180  # seconds; a process that hangs longer shows where, and ends
Job = tuple[Callable[..., Any], tuple[Any, ...]]  # a function of a module, and what it is given


def together(count: int, jobs: Sequence[Job]) -> list[list[Any]]:
    """What each job gives in each of `count` processes, which do one after the other: [job][rank].

    For each job they are in the environment that torchrun would make. What a job raises is what it gives.
    """
    with tempfile.TemporaryDirectory() as folder:
        ports = [free_port() for _ in jobs]
        in_each(_work, count, count, list(jobs), ports, Path(folder))
        by_rank = [pickle.loads((Path(folder) / str(rank)).read_bytes()) for rank in range(count)]
    return [list(of_job) for of_job in zip(*by_rank, strict=True)]


def in_each(function: Callable[..., None], count: int, *arguments: Any) -> None:
    """Calls `function(rank, *arguments)` in each of `count` processes, and waits for them."""
    multiprocessing.spawn(_bounded, args=(function, arguments), nprocs=count, daemon=True)


def _bounded(rank: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    function(rank, *arguments)


def _work(rank: int, count: int, jobs: list[Job], ports: list[int], folder: Path) -> None:
    given: list[Any] = []
    for (function, arguments), port in zip(jobs, ports, strict=True):
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank)}
        os.environ |= {"LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        try:
            given.append(function(*arguments))
        except (Exception, SystemExit) as error:
            given.append(error)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    (folder / str(rank)).write_bytes(pickle.dumps(given))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
