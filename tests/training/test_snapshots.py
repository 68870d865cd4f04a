import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from processes import Output, kill_when, start
from safetensors.torch import load_file
from tiny import tiny_recipe

from lexel.errors import ModelError
from lexel.models.clip import CLIP, init_weights
from lexel.training import snapshots as room
from lexel.training.optimization.average import Average
from lexel.training.optimization.optimizer import Optimizer, OptimizerSettings
from lexel.training.optimization.schedule import Schedule
from lexel.training.snapshots import SnapshotClock, Snapshots, SnapshotSettings, newest_snapshot


def make(seed: int = 0, kind: str = "adamw", **model: object) -> tuple[CLIP, Optimizer]:
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-xs", **model}).architecture())
    init_weights(clip, seed)
    settings = OptimizerSettings(kind=kind)
    return clip, Optimizer(clip, settings, Schedule(), steps=10, average=Average(clip, 0.9))


def take_step(clip: CLIP, optimizer: Optimizer, step: int) -> None:
    torch.manual_seed(step)
    for parameter in clip.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step(step, 1.0, ["a"])


def save(folder: Path, *steps: int, keep: int = 2) -> Snapshots:
    """Save a fresh model as that of each of the steps, and wait until it is written."""
    clip, optimizer = make()
    with Snapshots(folder, keep) as snapshots:
        for step in steps:
            snapshots.save(step, clip, optimizer, {})
    return snapshots


def names(folder: Path) -> list[str]:
    return sorted(path.name.split(".")[0] for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_restored_run_takes_the_same_next_steps(tmp_path, kind):
    clip, optimizer = make(kind=kind)
    for step in range(3):
        take_step(clip, optimizer, step)
    optimizer.skipped_in_a_row = 2
    with Snapshots(tmp_path, keep=2) as snapshots:
        snapshots.save(3, clip, optimizer, {"seconds": 1.5, "micro_batch": 64})
    other, other_optimizer = make(seed=1, kind=kind)
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    snapshot.restore(other, other_optimizer)
    assert (snapshot.step, snapshot.facts["micro_batch"], other_optimizer.skipped_in_a_row) == (3, 64, 2)
    for model, its in ((clip, optimizer), (other, other_optimizer)):
        take_step(model, its, 3)
    assert all(torch.equal(a, b) for a, b in zip(clip.parameters(), other.parameters(), strict=True))
    with optimizer.averaged(), other_optimizer.averaged():
        assert all(torch.equal(a, b) for a, b in zip(clip.parameters(), other.parameters(), strict=True))


@pytest.fixture
def held(monkeypatch) -> Iterator[threading.Event]:
    """Writing waits until this is set."""
    may_write, write = threading.Event(), room._write

    def wait_and_write(*arguments: object) -> None:
        may_write.wait()
        write(*arguments)

    monkeypatch.setattr(room, "_write", wait_and_write)
    yield may_write
    may_write.set()


def test_training_goes_on_while_a_snapshot_is_written_and_it_holds_the_state_of_its_step(tmp_path, held):
    clip, optimizer = make()
    take_step(clip, optimizer, 0)
    expected = {name: value.clone() for name, value in clip.state_dict().items()}
    with Snapshots(tmp_path, keep=2) as snapshots:
        snapshots.save(1, clip, optimizer, {})
        take_step(clip, optimizer, 1)  # while nothing is on disk yet
        assert not tmp_path.exists() or not list(tmp_path.iterdir())
        held.set()
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    assert all(torch.equal(snapshot.tensors[f"clip.{name}"], value) for name, value in expected.items())


def test_one_is_written_at_a_time(tmp_path, held):
    clip, optimizer = make()
    with Snapshots(tmp_path, keep=5) as snapshots:
        snapshots.save(1, clip, optimizer, {})
        second = threading.Thread(target=snapshots.save, args=(2, clip, optimizer, {}))
        second.start()
        second.join(0.2)
        assert second.is_alive()
        held.set()
        second.join()
    assert names(tmp_path) == ["step-0000001", "step-0000002"]


def test_waiting_tells_the_newest_step_on_disk(tmp_path):
    snapshots = Snapshots(tmp_path / "snapshots", keep=2)
    assert snapshots.wait() == 0
    snapshots.save(7, *make(), {})
    assert snapshots.wait() == 7


def test_the_hosts_memory_is_used_again(tmp_path):
    clip, optimizer = make()
    with Snapshots(tmp_path, keep=1) as snapshots:
        take_step(clip, optimizer, 0)
        snapshots.save(1, clip, optimizer, {})
        before = {name: value.data_ptr() for name, value in snapshots._host.items()}
        take_step(clip, optimizer, 1)
        snapshots.save(2, clip, optimizer, {})
        assert before == {name: value.data_ptr() for name, value in snapshots._host.items()}


def test_a_process_that_does_not_write_touches_no_disk(tmp_path):
    with Snapshots(tmp_path / "snapshots", keep=1, writes=False) as snapshots:
        snapshots.save(1, *make(), {})
    assert not (tmp_path / "snapshots").exists()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_newest_snapshot_falls_back_to_the_one_before(tmp_path, capsys, damage):
    save(tmp_path, 1, 2)
    (path,) = tmp_path.glob("step-0000002.*")
    content = path.read_bytes()
    flipped = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
    path.write_bytes({"truncated": content[: len(content) // 2], "flipped": flipped, "empty": b""}[damage])
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    assert snapshot.step == 1
    assert "is damaged" in capsys.readouterr().err


def test_a_run_without_a_whole_snapshot_is_said_to_begin_again(tmp_path, capsys):
    save(tmp_path, 1, 2)
    for path in tmp_path.glob("step-*"):
        path.write_bytes(b"")
    assert newest_snapshot(tmp_path) is None
    assert "begins again with the first step" in capsys.readouterr().err


def test_only_the_newest_are_kept(tmp_path):
    save(tmp_path, 5, 10, 15, 100, keep=2)
    assert names(tmp_path) == ["step-0000015", "step-0000100"]


def test_what_a_run_fell_back_from_goes_when_it_has_moved_on(tmp_path):
    save(tmp_path, 5, 10)
    save(tmp_path, 7)
    assert names(tmp_path) == ["step-0000005", "step-0000007"]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond a thousand bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_each_time_and_leaves_the_older_snapshots_whole(tmp_path, capsys):
    clip, optimizer = make()
    with Snapshots(tmp_path, keep=1) as snapshots:
        snapshots.save(1, clip, optimizer, {})
        snapshots.wait()
        with full_disk():
            snapshots.save(2, clip, optimizer, {})
            snapshots.save(3, clip, optimizer, {})
            assert snapshots.wait() == 1
        said = capsys.readouterr().err
        assert [f"step-000000{step} could not be written" in said for step in (1, 2, 3)] == [False, True, True]
        assert names(tmp_path) == ["step-0000001"]
        assert newest_snapshot(tmp_path) is not None
        snapshots.save(4, clip, optimizer, {})
    assert names(tmp_path) == ["step-0000004"]


def test_a_mistake_of_the_thread_is_raised_where_the_run_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_write", lambda *_: 1 / 0)
    snapshots = Snapshots(tmp_path, keep=1)
    snapshots.save(1, *make(), {})
    with pytest.raises(ZeroDivisionError):
        snapshots.wait()


def test_a_second_ctrl_c_does_not_wait_for_the_disk(tmp_path, held):
    def interrupt() -> None:
        with Snapshots(tmp_path, keep=1) as snapshots:
            snapshots.save(1, *make(), {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert not held.is_set()


class StatelessOptimizer:
    """As far as snapshots know an optimizer."""

    skipped_in_a_row = 0

    def state_tensors(self) -> dict[str, torch.Tensor]:
        return {}


def save_until_killed(folder: Path) -> None:
    model = torch.nn.Linear(1500, 1500)  # nine megabytes
    with Snapshots(folder, keep=2) as snapshots:
        for step in range(1, 10_000):
            with torch.no_grad():
                model.weight.fill_(step)
            snapshots.save(step, model, StatelessOptimizer(), {})  # pyright: ignore[reportArgumentType]
            print(step, flush=True)


@pytest.mark.parametrize("moment", range(3))
def test_a_process_killed_while_it_writes_leaves_a_whole_snapshot(tmp_path, moment):
    output = Output(tmp_path / "printed")
    process = start(save_until_killed, tmp_path, output=output)
    kill_when(process, lambda: output.out.exists() and output.out.read_text().count("\n") >= 5 + moment, 0.01 * moment)
    begun = int(output.out.read_text().split()[-1])
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    assert begun - 1 <= snapshot.step <= begun + 1  # each waits for the one before
    assert torch.equal(snapshot.tensors["clip.weight"], torch.full((1500, 1500), float(snapshot.step)))


def test_a_snapshot_of_another_model_is_refused(tmp_path):
    save(tmp_path, 1)
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    with pytest.raises(ModelError, match="of another model"):
        snapshot.restore(*make(image={"depth": 2}))


def test_a_snapshot_is_a_file_that_safetensors_reads(tmp_path):
    clip, optimizer = make()
    take_step(clip, optimizer, 0)
    with Snapshots(tmp_path, keep=1) as snapshots:
        snapshots.save(1, clip, optimizer, {})
    (path,) = tmp_path.iterdir()
    tensors = load_file(path)
    assert torch.equal(tensors["clip.text.projection.weight"], clip.text.projection.weight)
    assert "adamw.text.projection.weight.exp_avg" in tensors
    assert tensors["average.updates"] == 1
    assert path.stat().st_size < 1.05 * sum(value.nbytes for value in tensors.values())


def test_nothing_saved_is_nothing_found(tmp_path):
    assert newest_snapshot(tmp_path / "snapshots") is None


def test_the_clock_says_when_by_steps_and_by_minutes(monkeypatch):
    now = 0.0
    monkeypatch.setattr(room.time, "monotonic", lambda: now)
    clock = SnapshotClock(SnapshotSettings(every_minutes=2, every_steps=10))
    assert [clock.due(step) for step in (9, 10, 11)] == [False, True, False]
    now = 121.0
    assert clock.due(12)
    assert not clock.due(13)
