import numpy as np
import pytest
from colour_encoder import ColourEncoder, labelled_source, painted

from lexel.data.pairs import Source
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.tasks.base import TaskInput, TaskRequest
from lexel.evaluation.tasks.learning.learning_data import can_learn, learning_data
from lexel.evaluation.texts.prompts import Prompts


def task_input(source: Source, training: Source | None = None) -> TaskInput:
    encoder = ColourEncoder()
    return TaskInput(encoder, embed_source(encoder, source), Prompts(("{}",)), TaskRequest(source, None, training))


def test_without_a_training_split_every_image_is_tested_once_and_never_by_itself():
    data = learning_data(task_input(labelled_source(each=6)))
    tested = np.concatenate([tests for _, tests in data.rounds()])
    assert sorted(tested) == list(range(42))
    assert all(np.intersect1d(rows, tests).size == 0 for rows, tests in data.rounds())
    assert all(np.intersect1d(rows, tests).size == 0 for rows, tests in data.draws(2))


def test_with_a_training_split_everything_is_learned_there():
    training = labelled_source(["red", "blue", "green"], each=4)
    data = learning_data(task_input(labelled_source(["red", "blue", "white"], each=2), training))
    assert data.labels == ["blue", "green", "red"]
    assert len(data.vectors) == 12
    assert data.test_classes.tolist() == [2, 2, 0, 0, -1, -1]
    [(rows, tests)] = data.rounds()
    assert (len(rows), len(tests)) == (12, 6)


def test_a_training_split_of_other_labels_is_not_used():
    data = learning_data(task_input(labelled_source(["red", "blue"], each=4), labelled_source(["green", "cyan"])))
    assert data.folds is not None
    assert data.labels == ["blue", "red"]


def test_classes_of_one_image_are_left_out_and_counted():
    pairs = [*labelled_source(["red", "blue"], each=4).pairs, painted("odd", "green", label="green")]
    data = learning_data(task_input(Source("s", pairs)))
    assert (data.labels, data.left_out) == (["blue", "red"], 1)
    assert data.test_rows.tolist() == list(range(8))


@pytest.mark.parametrize(
    ("source", "training", "able"),
    [
        (labelled_source(each=2), None, True),
        (labelled_source(each=1), None, False),
        (labelled_source(["red"], each=9), None, False),
        (labelled_source(each=1), labelled_source(["red", "blue"], each=1), True),
        (labelled_source(each=1), labelled_source(["red"], each=5), False),
    ],
)
def test_whether_there_is_something_to_learn_from(source, training, able):
    assert can_learn(TaskRequest(source, None, training)) == able
