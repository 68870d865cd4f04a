import errno

import pytest
import torch

from lexel.errors import ModelError
from lexel.models.clip import CLIP, init_weights
from lexel.training import snapshot as room
from lexel.training.optimizer import Optimizer, OptimizerSettings
from lexel.training.schedule import Schedule
from lexel.training.snapshot import SnapshotClock, SnapshotSettings, newest_snapshot, save_snapshot
from tiny import tiny_recipe


def make(seed: int = 0, **model: object) -> tuple[CLIP, Optimizer]:
    clip = CLIP(tiny_recipe(model={"architecture": "lexel-xs", **model}).architecture())
    init_weights(clip, seed)
    return clip, Optimizer(clip, OptimizerSettings(), Schedule(), steps=10)


def take_step(clip: CLIP, optimizer: Optimizer, step: int) -> None:
    torch.manual_seed(step)
    for parameter in clip.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step(step, 1.0, ["a"])


def test_a_restored_run_takes_the_same_next_steps(tmp_path):
    clip, optimizer = make()
    for step in range(3):
        take_step(clip, optimizer, step)
    optimizer.skipped_in_a_row = 2
    save_snapshot(tmp_path, 3, clip, optimizer, {"seconds": 1.5}, keep=2)
    other, other_optimizer = make(seed=1)
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    snapshot.restore(other, other_optimizer)
    assert (snapshot.step, snapshot.facts["seconds"], other_optimizer.skipped_in_a_row) == (3, 1.5, 2)
    for model, optim in ((clip, optimizer), (other, other_optimizer)):
        take_step(model, optim, 3)
    assert all(torch.equal(a, b) for a, b in zip(clip.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_newest_snapshot_falls_back_to_the_one_before(tmp_path, capsys, damage):
    clip, optimizer = make()
    save_snapshot(tmp_path, 1, clip, optimizer, {}, keep=2)
    path = save_snapshot(tmp_path, 2, clip, optimizer, {}, keep=2)
    content = path.read_bytes()
    flipped = content[:-100] + bytes([content[-100] ^ 1]) + content[-99:]
    path.write_bytes({"truncated": content[: len(content) // 2], "flipped": flipped, "empty": b""}[damage])
    snapshot = newest_snapshot(tmp_path)
    assert snapshot is not None
    assert snapshot.step == 1
    assert "is damaged" in capsys.readouterr().err


def test_only_the_newest_are_kept(tmp_path):
    clip, optimizer = make()
    for step in (5, 10, 15, 100):
        save_snapshot(tmp_path, step, clip, optimizer, {}, keep=2)
    assert sorted(path.name.split(".")[0] for path in tmp_path.iterdir()) == ["step-0000015", "step-0000100"]


def test_a_full_disk_leaves_the_older_snapshots_whole(tmp_path, monkeypatch):
    clip, optimizer = make()
    save_snapshot(tmp_path, 1, clip, optimizer, {}, keep=1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room, "write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        save_snapshot(tmp_path, 2, clip, optimizer, {}, keep=1)
    assert newest_snapshot(tmp_path).step == 1


def test_a_snapshot_of_another_model_is_refused(tmp_path):
    save_snapshot(tmp_path, 1, *make(), {}, keep=1)
    with pytest.raises(ModelError, match="of another model"):
        newest_snapshot(tmp_path).restore(*make(image={"depth": 2}))


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
