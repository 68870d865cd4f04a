import pytest
from colour_encoder import ColourEncoder, painted

from lexel.data.pairs import Source
from lexel.evaluation.evaluate import evaluate

WARM, COLD = ("red", "yellow"), ("blue", "green", "cyan")


def tree() -> Source:
    pairs = [painted(f"{name}{i}", name, label=f"warm/{name}") for name in WARM for i in range(3)]
    pairs += [painted(f"{name}{i}", name, label=f"cold/{name}") for name in COLD for i in range(3)]
    pairs += [painted("near", "cyan", label="cold/blue"), painted("far", "red", label="cold/blue")]
    return Source("tree", pairs)


def test_a_near_miss_is_right_at_the_upper_level():
    [section] = evaluate(ColourEncoder(), tree(), tasks=["hierarchy"]).sources[0].sections
    assert section.metrics["exact"].value == pytest.approx(15 / 17)
    assert section.metrics["level_1"].value == pytest.approx(16 / 17)
    assert section.metrics["exact"].chance == pytest.approx(1 / 5)
    assert section.metrics["level_1"].chance == pytest.approx((6 * 2 / 5 + 11 * 3 / 5) / 17)


def test_names_that_occur_under_two_kinds_are_said_with_their_path():
    pairs = [painted(f"a{i}", "red", "blue", label="red/blue") for i in range(2)]
    pairs += [painted(f"b{i}", "green", "blue", label="green/blue") for i in range(2)]
    pairs += [painted(f"c{i}", "green", "cyan", label="green/cyan") for i in range(2)]
    metrics = evaluate(ColourEncoder(), Source("s", pairs), tasks=["hierarchy"], templates="plain").metrics()
    assert metrics["hierarchy/exact"] == 1
