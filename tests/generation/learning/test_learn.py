import os
import signal

import pytest
import torch
from processes import kill_when, start, steps_logged
from small_learner import IDENTITY, SmallLearner, learn_a_little, small_settings

from lexel.errors import LexelError, UsageError
from lexel.generation.learning.learn import learn
from lexel.training.run.folder import alone_in
from lexel.training.run.interruption import InterruptedRunError
from lexel.training.run.log import read_log


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing disturbed: its folder and model."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, learn_a_little(folder)[0]


def equal(one, other) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


def test_the_module_learns_and_each_step_is_logged(whole):
    folder, model = whole
    losses = [line["loss"] for line in read_log(folder) if "loss" in line]
    assert len(losses) == 40
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    assert not model.training


def test_the_same_seed_gives_the_same_bits_and_another_one_others(whole, tmp_path):
    assert equal(learn_a_little(tmp_path / "again")[0], whole[1])
    assert not equal(learn_a_little(tmp_path / "other", small_settings(seed=1))[0], whole[1])


def test_the_model_ends_with_the_average_of_its_weights(whole, tmp_path):
    last = learn_a_little(tmp_path, small_settings(average=None))[0]
    assert not equal(last, whole[1])
    differences = [
        float((a - b).detach().abs().max()) for a, b in zip(last.parameters(), whole[1].parameters(), strict=True)
    ]
    assert 0 < max(differences) < 0.5


def test_a_killed_run_goes_on_to_the_same_weights(whole, tmp_path):
    folder = tmp_path / "killed"
    kill_when(start(learn_a_little, folder), lambda: steps_logged(folder) >= 11)
    model, learned = learn_a_little(folder)
    assert equal(model, whole[1])
    assert learned.steps == 40
    assert [line["step"] for line in read_log(folder) if "loss" in line] == list(range(40))


class Interrupted(SmallLearner):
    """Asks the process to stop in the middle of step 21, as Ctrl-C does."""

    def loss(self, step):
        if step == 21:
            os.kill(os.getpid(), signal.SIGINT)
        return super().loss(step)


def test_ctrl_c_saves_and_the_same_call_goes_on(whole, tmp_path):
    with pytest.raises(InterruptedRunError, match=r"Stopped after step 22 of 40\. The same command goes on from there"):
        learn(Interrupted(small_settings()), tmp_path, small_settings(), IDENTITY)
    assert equal(learn_a_little(tmp_path)[0], whole[1])


def test_a_finished_run_gives_its_weights_again_without_a_step(whole, capsys):
    folder, model = whole
    before = (folder / "log.jsonl").read_bytes()
    again, learned = learn_a_little(folder)
    assert equal(again, model)
    assert learned.loss is None
    assert learned.seconds > 0
    assert (folder / "log.jsonl").read_bytes() == before


def test_a_damaged_newest_snapshot_is_passed_over(whole, tmp_path):
    learn_a_little(tmp_path)
    newest = max((tmp_path / "snapshots").iterdir())
    newest.write_bytes(newest.read_bytes()[:-8])
    assert equal(learn_a_little(tmp_path)[0], whole[1])


def test_another_run_in_the_folder_is_refused(whole):
    folder = whole[0]
    settings = small_settings()
    with pytest.raises(UsageError, match='data was "cosines" and is now "sines"'):
        learn(SmallLearner(settings), folder, settings, IDENTITY | {"data": "sines"})
    with pytest.raises(UsageError, match="steps was 40 and is now 41"):
        learn_a_little(folder, small_settings(steps=41))
    learn_a_little(folder, small_settings(snapshot={"every_steps": 3}))  # decides no weights


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "holiday.txt").write_text("photos")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        learn_a_little(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["holiday.txt"]


def test_a_second_process_in_the_folder_is_refused(tmp_path):
    process = start(learn_a_little, tmp_path / "run", small_settings(steps=100_000))
    while steps_logged(tmp_path / "run") < 1 and process.is_alive():
        pass
    try:
        with pytest.raises(UsageError, match="Another process is training in"), alone_in(tmp_path / "run"):
            pass
    finally:
        kill_when(process, lambda: True)


def test_steps_that_are_not_finite_are_skipped_and_five_in_a_row_end_the_run(tmp_path):
    settings = small_settings()
    learn(SmallLearner(settings, bad=frozenset({3, 4})), tmp_path / "two", settings, IDENTITY)
    assert [line["step"] for line in read_log(tmp_path / "two") if line.get("skipped")] == [3, 4]
    with pytest.raises(LexelError, match=r"not finite in 5 steps in a row, last at step 14\.\nLower the learning rate"):
        learn(SmallLearner(settings, bad=frozenset(range(10, 30))), tmp_path / "many", settings, IDENTITY)
