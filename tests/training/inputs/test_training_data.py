from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny import tiny_recipe

from lexel.data.readers import read_source
from lexel.errors import DataError, UnfitSettingError
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import TrainingData, gather, say_truncated, train_tokenizer
from lexel.training.recipe import DataSettings


def write_table(
    folder: Path, rows: Sequence[tuple[str, str]], split: Sequence[str] = (), column: str = "title"
) -> Path:
    """A folder of pictures with a metadata table of (file name, text) rows, and of splits if there are any."""
    folder.mkdir(exist_ok=True)
    splits = list(split) or [""] * len(rows)
    lines = [f"file_name,{column},split"]
    for (name, text), part in zip(rows, splits, strict=True):
        (folder / name).write_bytes(b"never opened here")
        lines.append(f'{name},"{text}",{part}')
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


def numbered(count: int, text: str = "a thing") -> list[tuple[str, str]]:
    return [(f"{number}.png", f"{text} {number}") for number in range(count)]


def gather_from(*sources: Path | str, **settings) -> TrainingData:
    data = {"sources": [{"source": str(source)} for source in sources]} | settings.pop("data", {})
    return gather(
        tiny_recipe(data=data, evaluation={"holdout": 0.2} | settings.pop("evaluation", {}), **settings), InputReader()
    )


def learned(training_data: TrainingData) -> set[str]:
    return {pair.key for source in training_data.sources for pair in source.pairs}


def held_out(training_data: TrainingData) -> set[str]:
    return {pair.key for pair in training_data.held_out.pairs}


def test_pairs_are_held_out_by_key_and_not_by_order(tmp_path):
    rows = numbered(40)
    forwards = gather_from(write_table(tmp_path / "a", rows))
    backwards = gather_from(write_table(tmp_path / "b", rows[::-1]))
    assert held_out(forwards) == held_out(backwards)
    assert len(held_out(forwards)) == 8
    assert learned(forwards).isdisjoint(held_out(forwards))
    assert len(learned(forwards)) == 32


def test_more_pairs_leave_most_of_the_held_out_ones_held_out(tmp_path):
    few = gather_from(write_table(tmp_path / "a", numbered(100)))
    more = gather_from(write_table(tmp_path / "b", numbered(104)))
    assert len(held_out(few) & held_out(more)) >= 18


def test_another_seed_holds_out_other_pairs(tmp_path):
    folder = write_table(tmp_path / "a", numbered(40))
    assert held_out(gather_from(folder)) != held_out(gather_from(folder, seed=1))


def test_the_val_split_is_measured_on_where_there_is_one(tmp_path):
    folder = write_table(tmp_path / "a", numbered(7), ["train"] * 4 + ["val", "val", "test"])
    for source in (folder, f"{folder}/train"):
        training_data = gather_from(source)
        assert learned(training_data) == {"0.png", "1.png", "2.png", "3.png"}
        assert held_out(training_data) == {"4.png", "5.png"}


@pytest.mark.parametrize("source", ["scenes:12?seed=3", "scenes:12/train?seed=3"])
def test_made_up_scenes_are_measured_on_their_val_split_with_the_same_seed(source):
    assert gather_from(source).held_out.pairs == read_source("scenes:12/val?seed=3").pairs


def test_without_a_val_split_pairs_of_the_train_split_are_held_out(tmp_path, capsys):
    folder = write_table(tmp_path / "a", numbered(20), ["train"] * 10 + ["test"] * 10)
    training_data = gather_from(folder)
    assert len(held_out(training_data)) == 2
    assert learned(training_data) | held_out(training_data) == {f"{number}.png" for number in range(10)}
    assert "2 of 10 pairs are held out" in capsys.readouterr().err


def test_a_named_source_is_measured_on_and_nothing_is_held_out(tmp_path):
    folder = write_table(tmp_path / "a", numbered(10))
    other = write_table(tmp_path / "b", numbered(4, "another"), ["train", "val", "val", "test"])
    training_data = gather_from(folder, evaluation={"source": str(other)})
    assert len(learned(training_data)) == 10
    assert held_out(training_data) == {"1.png", "2.png"}


def test_held_out_pairs_of_several_sources_are_told_apart(tmp_path):
    first, second = (write_table(tmp_path / name, numbered(10)) for name in "ab")
    training_data = gather_from(first, second)
    assert [len(source.pairs) for source in training_data.sources] == [8, 8]
    assert len(held_out(training_data)) == 4
    assert training_data.pairs == 16


def test_each_source_keeps_its_weight_columns_and_templates(tmp_path):
    first = write_table(tmp_path / "a", numbered(5), column="words")
    second = write_table(tmp_path / "b", numbered(5, "cat"), column="kind")
    sources = [
        {"source": str(first), "caption": "words", "weight": 2.0},
        {"source": str(second), "label": "kind", "templates": ["a {}"]},
    ]
    training_data = gather(
        tiny_recipe(data={"sources": sources, "templates": "plain"}, evaluation={"holdout": 0.2}), InputReader()
    )
    assert [source.weight for source in training_data.sources] == [2.0, 1.0]
    assert [source.templates for source in training_data.sources] == [("{}",), ("a {}",)]
    texts = set(training_data.texts())
    assert {text.split()[0] for text in texts} == {"a"}
    assert any(text.startswith("a cat") for text in texts)


def test_what_is_read_of_a_table_names_it_once(tmp_path, capsys):
    table = write_table(tmp_path / "a", numbered(10)) / "metadata.csv"
    gather_from(table)
    assert 'metadata.csv: image from "file_name", captions from "title"' in capsys.readouterr().err.splitlines()


def test_images_without_text_are_left_out_and_counted(tmp_path, capsys):
    folder = write_table(tmp_path / "a", [*numbered(10), ("silent.png", "")])
    training_data = gather_from(folder)
    assert "silent.png" not in learned(training_data) | held_out(training_data)
    assert "left out 1 image without caption or label" in capsys.readouterr().err


def test_a_source_without_any_text_is_an_error_that_says_what_to_give(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(DataError, match=r"(?s)1 image without captions or labels.*metadata\.csv"):
        gather_from(tmp_path)


def test_too_few_pairs_to_hold_any_out_is_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(DataError, match=r"(?s)^2 pairs are too few.*--set evaluation\.source=SOURCE"):
        gather_from(write_table(tmp_path / "a", numbered(2)))


def test_a_sample_of_the_held_out_pairs_is_spread_over_them(tmp_path):
    training_data = gather_from(write_table(tmp_path / "a", numbered(50)))
    assert training_data.few_held_out(4).pairs == training_data.held_out.pairs[::3]
    assert training_data.few_held_out(1000).pairs == training_data.held_out.pairs


@pytest.mark.parametrize("change", [("a thing 3", "a thing 33"), ("3.png", "13.png")])
def test_the_fingerprint_changes_with_keys_and_captions(tmp_path, change):
    folder = write_table(tmp_path / "a", numbered(5))
    other = write_table(tmp_path / "b", [tuple(part.replace(*change) for part in row) for row in numbered(5)])
    named = {"evaluation": {"source": "scenes:4/val"}}
    assert gather_from(folder, **named).fingerprint == gather_from(folder, **named).fingerprint
    assert gather_from(folder, **named).fingerprint != gather_from(other, **named).fingerprint


def test_the_vocabulary_is_learned_from_the_captions_and_cut_ones_are_counted(tmp_path, capsys):
    rows = [*numbered(9), ("long.png", "very " * 20)]
    training_data = gather_from(write_table(tmp_path / "a", rows), evaluation={"source": "scenes:4/val"})
    tokenizer = train_tokenizer(tiny_recipe(), training_data, context_length=8)
    say_truncated(tokenizer, training_data)
    assert tokenizer.context_length == 8
    assert "Captions longer than 8 tokens and cut: 1 of 10." in capsys.readouterr().err
    assert len(tokenizer.encode(["a thing"])[0]) == 4  # start, two words, end


def test_pictures_that_are_measured_on_are_not_learned_from(tmp_path, capsys):
    folder = write_table(tmp_path / "a", numbered(10))
    few = tmp_path / "a" / "few.csv"
    few.write_text("file_name,title\n3.png,three\n4.png,four\n")
    training_data = gather_from(folder / "metadata.csv", evaluation={"source": str(few)})
    assert not learned(training_data) & {"3.png", "4.png"}
    assert "2 pairs are not learned from" in capsys.readouterr().err


def test_too_little_to_measure_on_is_said_before_training(tmp_path):
    folder = write_table(tmp_path / "a", numbered(10))
    one = tmp_path / "a" / "one.csv"
    for rows in ("3.png,three\n", "3.png,three\n3.png,a three\n"):  # one picture with two captions will not do either
        one.write_text(f"file_name,title\n{rows}")
        with pytest.raises(DataError, match="too few to measure on"):
            gather_from(folder / "metadata.csv", evaluation={"source": str(one)})


def test_captions_are_made_by_a_template_of_the_recipe(tmp_path):
    folder = write_table(tmp_path / "a", numbered(10, "mug"))
    training_data = gather_from(folder, data={"caption": "a {title} on a table"})
    assert set(training_data.texts()) < {f"a mug {number} on a table" for number in range(10)}


def test_columns_named_for_all_sources_are_for_those_that_they_fit(tmp_path):
    table = write_table(tmp_path / "shop", numbered(3), column="alt")
    both = DataSettings.model_validate({"sources": [{"source": "scenes:5"}, {"source": str(table)}], "caption": "alt"})
    assert any("data.caption fits nothing there" in note for note in InputReader().source(both.sources[0], both).notes)
    for alone in (
        {"sources": [{"source": "scenes:5"}], "caption": "alt"},
        {"sources": [{"source": "scenes:5", "caption": "alt"}, {"source": "scenes:6"}]},
    ):
        settings = DataSettings.model_validate(alone)
        with pytest.raises(UnfitSettingError):
            InputReader().source(settings.sources[0], settings)
