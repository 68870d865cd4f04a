"""Real processes, for tests: on their own or together over gloo, and killed where a test wants to.

They are forks of one server a test process that has imported torch and the trainer, and done nothing else: a process
costs milliseconds instead of the seconds of these imports, and still shares no memory with the test.
"""

import faulthandler
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing
from tiny import without_curves

from lexel.training.recipe import Recipe

MAX_SECONDS = 180  # a process that hangs longer shows where, and ends
IMPORTED = [  # by the server: also what the trainer imports only when it needs it
    "torch.distributed.fsdp",
    "torch._dynamo",
    "matplotlib.pyplot",
    "jinja2",
    "lexel.cli.main",
    "lexel.training.trainer",
]
Job = tuple[Callable[..., Any], tuple[Any, ...]]  # a function of a module, and its arguments


def fork_server() -> ForkServerContext:
    """In the place of multiprocessing's "spawn"."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    return context


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
    fork_server()
    torch.multiprocessing.start_processes(
        _bounded, args=(function, arguments), nprocs=count, daemon=True, start_method="forkserver"
    )


def _bounded(rank: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    with without_curves():
        function(rank, *arguments)


def _work(rank: int, count: int, jobs: list[Job], ports: list[int], folder: Path) -> None:
    given: list[Any] = []
    for (function, arguments), port in zip(jobs, ports, strict=True):
        os.environ |= environment(rank, count, port)
        try:
            given.append(function(*arguments))
        except (Exception, SystemExit) as error:
            given.append(error)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    (folder / str(rank)).write_bytes(pickle.dumps(given))


def environment(rank: int, count: int, port: int) -> dict[str, str]:
    """What torchrun tells each process of `count` on one machine."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    return {"MASTER_ADDR": "127.0.0.1", **{name: str(number) for name, number in numbers.items()}}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Output:
    """What a process prints, in two files of its folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.out, self.errors = folder / "stdout", folder / "stderr"


def start(function: Callable[..., None], *arguments: Any, output: Output | None = None) -> BaseProcess:
    """A process in a session of its own that calls `function`."""
    process = fork_server().Process(target=_alone, args=(function, arguments, output), daemon=False)
    process.start()
    return process


def _alone(function: Callable[..., None], arguments: tuple[Any, ...], output: Output | None) -> None:
    os.setsid()
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    for number, path in ((1, output and output.out), (2, output and output.errors)):
        descriptor = os.open(path or os.devnull, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
    with without_curves():
        function(*arguments)


def start_training(recipe: Recipe, folder: Path) -> BaseProcess:
    """`lexel train` in a process of its own, to be killed; how it ends otherwise is not the command line's."""
    saved = folder.parent / "tiny.json"
    saved.write_text(recipe.model_dump_json(exclude_none=True))
    return start(lexel_command, {}, "train", str(saved), "--output", str(folder))


def lexel_command(settings: dict[str, str], *words: str) -> None:
    """`lexel` with these words and variables of the environment."""
    from lexel.cli.main import main

    os.environ |= settings
    sys.argv = ["lexel", *words]
    main()


def kill_when(process: BaseProcess, due: Callable[[], bool], after: float = 0) -> None:
    """Kill it and its children as soon as it is `due`, or seconds `after`; it is an error if it ends before."""
    assert process.pid
    while process.is_alive() and not due():
        time.sleep(0.002)
    time.sleep(after)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL


def steps_logged(run: Path) -> int:
    """How many steps the run in this folder has taken, those taken twice counted twice."""
    log = run / "log.jsonl"
    return log.read_text().count('"loss"') if log.exists() else 0
