"""Processes that watch over each other without torchrun, which would end the others when one dies."""

import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from processes import Output, environment, free_port, start

from lexel.training.distributed import watchdog
from lexel.training.distributed.world import World


def work(rank: int, port: int, what: str) -> None:
    """Process 1 does `what` the test says, while process 0 waits for it. Heartbeats are a twentieth of a second."""
    watchdog.BEAT_SECONDS, watchdog.SUSPECT_SECONDS = 0.05, 0.5
    watchdog.SILENT_SECONDS, watchdog.GRACE_SECONDS = 1.5, 0.2
    os.environ |= environment(rank, 2, port)
    with World.join("cpu") as world:
        world.sum(1)
        if world.rank == 1 and what == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        if world.rank == 1 and what == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if world.rank == 1 and what == "fails":
            raise OSError("the disk is full")
        if what == "is slow":
            time.sleep(3 * world.rank)
        elif world.rank == 0:
            time.sleep(60)  # as in a collective that does not notice
        world.sum(1)
        print("done", flush=True)


def run(what: str, folder: Path) -> tuple[list[BaseProcess], list[Output]]:
    """Both processes, and what they print."""
    port = free_port()
    outputs = [Output(folder / str(rank)) for rank in range(2)]
    return [start(work, rank, port, what, output=output) for rank, output in enumerate(outputs)], outputs


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("stops", "died without a word"),
        ("is killed", "died without a word"),
        ("fails", "failed: OSError: the disk is full"),
    ],
)
def test_a_process_that_waits_for_a_dead_one_ends_and_says_so(tmp_path, what, reason):
    (main, other), (output, _) = run(what, tmp_path)
    try:
        main.join(timeout=50)
    finally:
        other.kill()
        other.join()
    said = output.errors.read_text()
    assert main.exitcode == 1
    assert "lexel train: Process 1 of 2" in said
    assert reason in said
    assert "The same command goes on from the last snapshot." in said


def test_a_process_that_is_only_slow_is_waited_for(tmp_path):
    for process, output in zip(*run("is slow", tmp_path), strict=True):
        process.join(timeout=50)
        assert process.exitcode == 0, output.errors.read_text()
        assert output.out.read_text() == "done\n"
