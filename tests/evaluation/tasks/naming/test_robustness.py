from colour_encoder import COLOURS, ColourEncoder, labelled_source

from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.pictures.corruptions import CORRUPTIONS
from lexel.evaluation.tasks.naming import robustness


def test_damage_lowers_the_accuracy_and_each_kind_is_reported():
    [section] = evaluate(ColourEncoder(), labelled_source(each=2), tasks=["robustness"]).sources[0].sections
    assert section.metrics["clean"].value == 1
    assert set(CORRUPTIONS) <= set(section.metrics)
    assert section.metrics["contrast"].value < 0.9
    assert section.metrics["rotation"].value == 1  # one colour looks the same however it is turned
    kinds = [section.metrics[name].value for name in CORRUPTIONS]
    assert abs(section.metrics["corrupted"].value - sum(kinds) / len(kinds)) < 1e-9
    [chart] = [block for block in section.blocks if block.kind == "chart"]
    assert all(line.y[0] == 100 for line in chart.lines)


def test_of_many_images_a_sample_of_all_classes_is_taken(monkeypatch):
    monkeypatch.setattr(robustness, "MAX_IMAGES", len(COLOURS))
    [section] = evaluate(ColourEncoder(), labelled_source(each=5), tasks=["robustness"]).sources[0].sections
    assert "7 of 35 labelled images" in section.warnings[0]
    assert sorted(section.outcomes["clean"].groups // 5) == list(range(7))
