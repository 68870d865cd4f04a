from pathlib import Path

import pytest
from processes import fork_server
from tiny import tiny_recipe

from lexel.errors import UsageError
from lexel.training.recipe import Recipe
from lexel.training.run.folder import RunFolder


def begin(path: Path, changes: tuple[str, ...] = ()) -> RunFolder:
    """What training does before its first step."""
    recipe = tiny_recipe(changes)
    folder = RunFolder.open(path, recipe)
    with folder.alone(recipe):
        return folder


@pytest.fixture
def begun(tmp_path) -> RunFolder:
    """A run that has taken steps."""
    folder = begin(tmp_path / "run")
    (folder.path / "log.jsonl").write_text('{"step": 0}\n')
    return folder


def test_a_new_folder_gets_the_resolved_recipe(tmp_path):
    folder = begin(tmp_path / "deep" / "run")
    assert Recipe.load(folder.path / "recipe.json") == tiny_recipe()


def test_a_run_is_taken_up_by_the_same_recipe_also_when_it_is_watched_otherwise(begun):
    again = ("data.workers=3", "snapshot.every_steps=9", "evaluation.times=3")
    begin(begun.path, again)
    assert Recipe.load(begun.path / "recipe.json") == tiny_recipe(again)


def test_another_recipe_is_refused_and_the_fields_are_named(begun):
    with pytest.raises(UsageError) as refusal:
        begin(begun.path, ("steps=9", "optimizer.learning_rate=0.5", "model.text.depth=2"))
    said = str(refusal.value)
    assert "steps was 8 and is now 9" in said
    assert "optimizer.learning_rate was " in said
    assert "model.text.depth was 1 and is now 2" in said
    assert len(said.splitlines()) == 2
    assert Recipe.load(begun.path / "recipe.json") == tiny_recipe()


def test_a_run_that_failed_before_its_first_step_does_not_hold_the_folder(tmp_path):
    begin(tmp_path / "run", ("device=abacus",))
    begin(tmp_path / "run")
    assert Recipe.load(tmp_path / "run" / "recipe.json").device is None


def test_embeddings_alone_do_not_hold_the_folder_but_are_kept(tmp_path):
    folder = begin(tmp_path / "run")
    folder.embeddings.mkdir()
    (folder.embeddings / "image.npy").write_bytes(b"rows")
    begin(tmp_path / "run", ("seed=4",))
    assert (folder.embeddings / "image.npy").read_bytes() == b"rows"
    (folder.path / "recipe.json").unlink()
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        begin(tmp_path / "run")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        begin(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_hidden_files_do_not_fill_a_folder(tmp_path):
    (tmp_path / ".DS_Store").touch()
    begin(tmp_path)


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_file_in_the_way_is_named(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"Cannot make the folder .*file"):
        RunFolder.open(tmp_path / place, tiny_recipe())


def test_changed_data_is_refused(begun):
    begun.check_data("abc", "abc")
    with pytest.raises(UsageError, match="pairs have changed since the run in"):
        begun.check_data("abc", "def")


def _try_to_train_in(path) -> str:
    try:
        with RunFolder(path).alone(tiny_recipe()):
            return "went on"
    except UsageError as refusal:
        return str(refusal)


def test_a_second_process_is_kept_out_until_the_first_is_done(begun):
    with fork_server().Pool(1) as other:
        with begun.alone(tiny_recipe()):
            assert f"Another process is training in {begun.path}" in other.apply(_try_to_train_in, (begun.path,))
        assert other.apply(_try_to_train_in, (begun.path,)) == "went on"


def test_of_two_that_find_an_empty_folder_the_second_does_not_overwrite_the_recipe(tmp_path):
    first, second = tiny_recipe(("seed=1",)), tiny_recipe(("seed=2",))
    folder, same = RunFolder.open(tmp_path / "run", first), RunFolder.open(tmp_path / "run", second)
    with folder.alone(first):
        with fork_server().Pool(1) as other:
            assert "Another process is training" in other.apply(_try_to_train_in, (folder.path,))
        assert Recipe.load(folder.path / "recipe.json") == first
        (folder.path / "log.jsonl").write_text('{"step": 0}\n')
    with pytest.raises(UsageError, match="seed was 1 and is now 2"), same.alone(second):
        pass
    assert Recipe.load(folder.path / "recipe.json") == first


def test_what_a_killed_process_left_half_written_is_cleared_away(begun):
    begun.snapshots.mkdir()
    (begun.snapshots / ".step-0000004.safetensors.77.tmp").write_bytes(b"half")
    (begun.path / ".model.77.tmp").mkdir()
    (begun.path / ".model.77.tmp" / "weights.safetensors").write_bytes(b"half")
    with begun.alone(tiny_recipe()):
        assert sorted(path.name for path in begun.path.rglob("*.tmp")) == []
    assert (begun.path / "log.jsonl").exists()
