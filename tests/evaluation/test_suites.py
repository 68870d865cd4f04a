import pytest
from colour_encoder import ColourEncoder, captioned_source, labelled_source

from lexel.data.pairs import Source
from lexel.errors import DataError, UsageError
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.suites import SUITES, read_suite
from lexel.evaluation.tasks.registry import TASKS, chosen_tasks


def test_every_suite_names_tasks_that_there_are():
    for suite in SUITES.values():
        assert [task.name for task in chosen_tasks(suite.tasks)] == suite.tasks
    assert read_suite("paper").tasks == [task.name for task in TASKS]


def test_the_small_suite_gives_the_numbers_that_a_program_reads():
    source = Source("both", [*labelled_source(each=6).pairs, *captioned_source().pairs])
    summary = evaluate(ColourEncoder(), source, tasks=read_suite("small").tasks).summary()["both"]
    for name in ("zero_shot_top1", "linear_probe_top1", "knn_top1"):
        low, high = summary[f"{name}_interval"]
        assert low <= summary[name] <= high
        assert summary[f"{name}_chance"] == pytest.approx(1 / 7)


def test_a_suite_of_ones_own_is_read_from_toml(tmp_path):
    (tmp_path / "mine.toml").write_text('tasks = ["knn"]\ntemplates = ["a {}"]\n')
    suite = read_suite(str(tmp_path / "mine.toml"))
    assert (suite.tasks, suite.templates) == (["knn"], ["a {}"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("tasks = 3", "tasks: Input should be a valid list"),
        ("task = []", "A suite has tasks"),
        ("tasks = [", "is no TOML file"),
        ("tasks = " + "[" * 5000, "is no TOML file"),
    ],
)
def test_a_file_that_is_no_suite_is_refused(tmp_path, content, said):
    (tmp_path / "s.toml").write_text(content)
    with pytest.raises(DataError, match=said):
        read_suite(str(tmp_path / "s.toml"))


def test_an_unknown_suite_is_refused(tmp_path):
    with pytest.raises(UsageError, match='Did you mean "small"'):
        read_suite("smal")
    with pytest.raises(UsageError, match="no suite file"):
        read_suite(str(tmp_path / "absent.toml"))
