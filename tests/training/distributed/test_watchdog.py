"""Processes that watch over each other without torchrun, which would end them by itself."""

import os
import socket
import subprocess
import sys

import pytest

# Beats of a twentieth of a second; process 1 does what it is told, while process 0 waits for it.
SCRIPT = """
import os, signal, sys, time
from lexel.training.distributed import watchdog as watch
watch.BEAT_SECONDS, watch.SUSPECT_SECONDS, watch.SILENT_SECONDS, watch.GRACE_SECONDS = 0.05, 0.5, 1.5, 0.2
from lexel.training.distributed.world import World
with World.join("cpu") as world:
    world.sum(1)
    if world.rank == 1 and sys.argv[1] == "stops":
        os.kill(os.getpid(), signal.SIGSTOP)
    if world.rank == 1 and sys.argv[1] == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if world.rank == 1 and sys.argv[1] == "fails":
        raise OSError("the disk is full")
    if sys.argv[1] == "is slow":
        time.sleep(3 * world.rank)
    elif world.rank == 0:
        time.sleep(60)  # as in a collective that does not notice
    world.sum(1)
    print("done")
"""


def run(what: str) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    main, other = (
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, what],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    )
    return main, other


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("stops", "died without a word"),
        ("is killed", "died without a word"),
        ("fails", "failed: OSError: the disk is full"),
    ],
)
def test_a_process_that_waits_for_a_dead_one_ends_and_says_so(what, reason):
    main, other = run(what)
    try:
        _, said = main.communicate(timeout=50)
    finally:
        other.kill()
        other.communicate()
    assert main.returncode == 1
    assert "lexel train: Process 1 of 2" in said
    assert reason in said
    assert "The same command goes on from the last snapshot." in said


def test_a_process_that_is_only_slow_is_waited_for():
    main, other = run("is slow")
    for process in (main, other):
        out, said = process.communicate(timeout=50)
        assert process.returncode == 0, said
        assert out == "done\n"
