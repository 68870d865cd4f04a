import pytest
from colour_encoder import ColourEncoder, labelled_source

from lexel.evaluation.evaluate import evaluate


def test_a_misleading_prompt_is_the_worst_and_its_accuracy_is_shown():
    templates = ["a {}", "a {} on red red red red"]
    [section] = evaluate(ColourEncoder(), labelled_source(), tasks=["prompts"], templates=templates).sources[0].sections
    alone = [
        evaluate(ColourEncoder(), labelled_source(), templates=[template]).metrics()["zero_shot/top1"]
        for template in templates
    ]
    assert section.metrics["best"].value == alone[0] == 1
    assert section.metrics["worst"].value == pytest.approx(alone[1])
    assert section.metrics["mean"].value == pytest.approx(sum(alone) / 2)
    assert section.metrics["bare"].value == 1
    assert section.blocks[1].rows[0][0] == "a {}"
