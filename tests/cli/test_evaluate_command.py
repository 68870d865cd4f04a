import shutil

import pytest

from lexel.checkpoints.model_folder.folder import TRAINING_PICTURES


def test_a_model_is_measured_and_the_report_written(lexel, tiny_model, here):
    done = lexel("evaluate", tiny_model, "scenes:40/test", "--templates", "scene", "-o", "deep/report", "--json")
    assert done.status == 0
    assert done.json["report"] == "deep/report/report.html"
    assert {"zero_shot/top1", "retrieval/image_to_text/recall@1", "retrieval/text_to_image/recall@10"} <= set(done.json)
    assert {path.name for path in (here / "deep" / "report").iterdir()} == {
        "report.json",
        "report.html",
        "examples.safetensors",
    }


def test_people_get_every_number_with_its_interval_and_chance(lexel, tiny_model, here):
    done = lexel("evaluate", tiny_model, "scenes:40/test", "--tasks", "zero-shot")
    assert done.status == 0
    assert "top1" in done.out
    assert "95 % interval" in done.out
    assert "recall" not in done.out
    assert done.out.endswith("Report  report/report.html\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scenes:40/tset"], 'Did you mean "test"?'),
        (["nowhere"], "There is no nowhere"),
        (["scenes:40", "scenes:40"], "is given twice"),
        (["scenes:40", "--tasks", "retreival"], 'Did you mean "retrieval"?'),
        (["scenes:40", "--labels", "missing.txt"], "There is no label file"),
        (["scenes:40", "-o", "red.png/report"], "Cannot make the folder red.png/report"),
    ],
)
def test_mistakes_are_refused(refused, tiny_model, here, words, said):
    assert said in refused("evaluate", tiny_model, *words)


def test_a_file_is_no_folder_to_write_into(lexel, tiny_model, here):
    before = (here / "red.png").read_bytes()
    done = lexel("evaluate", tiny_model, "scenes:40", "-o", "red.png")
    assert done.status == 2
    assert "'red.png' is a file" in done.err
    assert (here / "red.png").read_bytes() == before


def test_without_an_output_folder_an_earlier_report_stays(lexel, tiny_model, here):
    words = ["evaluate", tiny_model, "scenes:20/test", "--tasks", "zero-shot"]
    assert lexel(*words).out.endswith("Report  report/report.html\n")
    first = (here / "report" / "report.json").read_bytes()
    done = lexel(*words, "--templates", "scene")
    assert done.out.endswith("Report  report-2/report.html\n")
    assert (here / "report" / "report.json").read_bytes() == first


def test_an_output_folder_that_is_named_again_is_said_to_be_replaced(lexel, tiny_model, here):
    words = ["evaluate", tiny_model, "scenes:20/test", "--tasks", "zero-shot", "-o", "mine"]
    assert "replaced" not in lexel(*words).err
    assert "The report in mine will be replaced." in lexel(*words).err


def test_a_suite_prints_its_summary_by_source(lexel, tiny_model, here):
    (here / "suite.toml").write_text('tasks = ["zero_shot", "knn"]\ntemplates = "scene"\n')
    done = lexel("evaluate", tiny_model, "scenes:60/train", "--suite", "suite.toml", "--json")
    assert done.status == 0
    summary = done.json["sources"]["scenes:60/train"]
    assert {"zero_shot_top1", "zero_shot_top1_interval", "knn_top1", "knn_top1_interval"} <= set(summary)
    assert done.json["zero_shot/top1"] == summary["zero_shot_top1"]


def test_a_suite_and_tasks_exclude_each_other(refused, tiny_model, here):
    assert "give one" in refused("evaluate", tiny_model, "scenes:40", "--suite", "small", "--tasks", "knn")
    assert 'Did you mean "small"?' in refused("evaluate", tiny_model, "scenes:40", "--suite", "smal")
    assert not (here / "report").exists()


def test_a_damaged_set_of_training_pictures_is_warned_of_and_does_not_stop_the_measurement(lexel, tiny_model, here):
    model = shutil.copytree(tiny_model, here / "model")
    (model / TRAINING_PICTURES).write_bytes(b"of an older format")
    done = lexel("evaluate", model, "scenes:20/test", "--tasks", "zero-shot", "--json")
    assert done.status == 0
    assert done.err.count("Warning: which pictures the model has learned from is not known.") == 1
    assert "or delete it" in done.err
    assert "zero_shot/top1" in done.json


def test_embeddings_are_kept_for_the_next_evaluation_unless_told_otherwise(lexel, tiny_model, here, own_cache):
    words = ["evaluate", tiny_model, "scenes:40/test", "--tasks", "retrieval", "--json"]
    first = lexel(*words, "--no-cache").json
    assert not list(own_cache.iterdir())
    kept = lexel(*words).json
    entries = {path: path.read_bytes() for path in (own_cache / "embeddings").iterdir()}
    assert len(entries) == 2  # pictures and captions
    again = lexel(*words).json
    assert {path: path.read_bytes() for path in (own_cache / "embeddings").iterdir()} == entries
    recalls = [{key: value for key, value in found.items() if "recall" in key} for found in (first, kept, again)]
    assert recalls[0] == recalls[1] == recalls[2] != {}
