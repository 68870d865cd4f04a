"""Tasks with pictures of their own are measured once, whatever the sources are."""

import json

import pytest
from colour_encoder import ColourEncoder, captioned_source, labelled_source

from lexel.errors import UsageError
from lexel.evaluation.comparison.compare import compare
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report.report import Report
from lexel.evaluation.tasks.compositional.drawn_probes import DrawnProbe

BINDING, SIZE = DrawnProbe("binding", "a trial", twins=4), DrawnProbe("size", "a trial", twins=4)


def test_they_are_reported_once_beside_all_sources():
    sources = [labelled_source(each=1), captioned_source()]
    report = evaluate(ColourEncoder(), sources, tasks=["zero_shot", "retrieval", BINDING, SIZE])
    assert [source.name for source in report.sources] == ["colours", "stripes", "drawn probes"]
    assert [section.task for section in report.sources[-1].sections] == ["binding", "size"]
    assert {"colours/zero_shot/top1", "binding/captions"} <= set(report.metrics())


def test_one_source_keeps_plain_names_beside_them():
    report = evaluate(ColourEncoder(), labelled_source(each=1), tasks=["zero_shot", BINDING])
    assert {"zero_shot/top1", "binding/captions"} <= set(report.metrics())


def test_they_need_no_source_and_all_others_do():
    assert [source.name for source in evaluate(ColourEncoder(), tasks=[BINDING]).sources] == ["drawn probes"]
    for tasks in (None, ["zero_shot"], ["zero_shot", BINDING]):
        with pytest.raises(UsageError, match="No source was given"):
            evaluate(ColourEncoder(), tasks=tasks)


def test_reports_with_different_ones_are_compared_on_those_in_common(tmp_path):
    one = evaluate(ColourEncoder(), tasks=[BINDING, SIZE])
    one.save(tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["sources"][0]["drawn"] is True
    comparison = compare([Report.load(tmp_path), evaluate(ColourEncoder(), tasks=[SIZE])])
    assert {(row.task, row.n, row.verdict) for row in comparison.differences} == {("size", 4, "cannot tell")}
