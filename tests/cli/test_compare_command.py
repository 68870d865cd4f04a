import json

import pytest


@pytest.fixture
def two_reports(lexel, tiny_model, here):
    for name, templates in (("a", "scene"), ("b", "photo")):
        lexel("evaluate", tiny_model, "scenes:40/test", "--templates", templates, "-o", name)
    return here


def test_two_reports_are_compared(lexel, two_reports):
    done = lexel("compare", "a", "b", "--json")
    assert done.status == 0
    rows = {(row["task"], row["metric"]): row for row in done.json["results"]}
    row = rows["zero_shot", "top1"]
    assert {"difference", "interval", "p_value", "n", "verdict"} <= set(row)
    assert row["verdict"] in ("better", "worse", "cannot tell")
    assert row["interval"][0] <= row["difference"] <= row["interval"][1]
    assert ("retrieval", "text_to_image/recall@1") in rows


def test_people_get_a_line_for_each_metric_and_a_page(lexel, two_reports):
    done = lexel("compare", "a", "b", "-o", "out")
    assert done.status == 0
    assert "scenes:40/test" in done.out
    assert "zero shot top1" in done.out
    assert "cannot tell with n = " in done.out
    assert (two_reports / "out" / "comparison.html").is_file()
    assert json.loads((two_reports / "out" / "comparison.json").read_text())["differences"]
    assert lexel("compare", "a", "b", "--markdown").out.startswith("Compared with")


def test_models_are_evaluated_on_the_sources_named(lexel, tiny_model, here):
    done = lexel("compare", tiny_model, tiny_model, "--on", "scenes:30/test", "--json")
    assert done.status == 0
    assert all(row["difference"] == 0 and row["verdict"] == "cannot tell" for row in done.json["results"])
    assert done.json["baseline"] != done.json["models"][0]


def test_a_run_folder_stands_for_its_report(lexel, tiny_run, here):
    done = lexel("compare", tiny_run.folder, tiny_run.folder, "--json")
    assert done.status == 0
    assert done.json["results"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a"], "two models or reports"),
        (["nowhere", "a"], "There is no report at nowhere"),
        (["a", "a", "--suite", "small"], "--on SOURCE"),
        (["a", "a", "--json", "--markdown"], "give one"),
        (["a", "a", "--on", "scenes:10", "--suite", "smal"], 'Did you mean "small"?'),
    ],
)
def test_mistakes_are_refused(refused, here, words, said):
    assert said in refused("compare", *words)


def test_a_model_without_a_source_is_told_how(refused, tiny_model, here):
    assert "is a model, not a report" in refused("compare", tiny_model, tiny_model)
