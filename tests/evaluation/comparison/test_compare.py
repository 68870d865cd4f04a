import itertools

import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder, captioned_source, labelled_source, painted

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.comparison.compare import (
    compare,
    disagreements,
    paired_difference,
    sign_flip_p_value,
    unique_names,
    verdict,
)
from lexel.evaluation.comparison.page import as_markdown, render_comparison
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.report import Report


class ShortSighted(ColourEncoder):
    """Takes every cyan for blue."""

    name = "short-sighted"
    fingerprint = "5407"

    def _image(self, image):
        vector = super()._image(image)
        if vector[6] > vector[2]:
            vector[[2, 6]] = vector[[6, 2]]
        return vector


def report(encoder=None, each: int = 20) -> Report:
    return evaluate(encoder or ColourEncoder(), labelled_source(each=each))


def test_a_clear_difference_is_called_worse_with_its_size_and_interval():
    [row] = compare([report(), report(ShortSighted())]).differences
    assert (row.task, row.metric, row.n) == ("zero_shot", "top1", 140)
    assert row.difference == pytest.approx(-1 / 7)
    assert row.interval[0] < -1 / 7 < row.interval[1] < 0
    assert row.p_value < 0.001
    assert row.verdict == "worse"


def test_the_other_way_round_the_same_difference_is_better():
    [there] = compare([report(), report(ShortSighted())]).differences
    [back] = compare([report(ShortSighted()), report()]).differences
    assert back.difference == -there.difference
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.verdict == "better"


def test_a_difference_of_a_few_images_cannot_be_told():
    [row] = compare([report(each=2), report(ShortSighted(), each=2)]).differences
    assert row.difference == pytest.approx(-1 / 7)
    assert row.verdict == "cannot tell"
    assert row.sentence == "cannot tell with n = 14"


def test_equal_models_do_not_differ():
    [row] = compare([report(), report()]).differences
    assert (row.difference, row.interval, row.p_value, row.verdict) == (0, (0, 0), 1, "cannot tell")


def test_the_p_value_equals_that_of_all_signs():
    sums = np.array([1.0, 1.0, 0.5, -0.25, 2.0, 1.0, 0.0, -1.0, 1.0])
    totals = [abs(np.dot(signs, sums)) for signs in itertools.product((-1, 1), repeat=9)]
    exact = np.mean([total >= abs(sums.sum()) - 1e-9 for total in totals])
    assert sign_flip_p_value(sums) == pytest.approx(exact, abs=0.01)


def test_the_interval_covers_the_true_difference_about_nineteen_times_of_twenty():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(40):
        one, other = random.random(200) < 0.6, random.random(200) < 0.7
        groups = np.arange(200)
        _, (low, high), _, _ = paired_difference(Outcome(one * 1.0, groups), Outcome(other * 1.0, groups))
        covered += low <= 0.1 <= high
    assert covered >= 33


def test_captions_of_one_image_are_resampled_together():
    random = np.random.default_rng(1)
    hits = np.repeat(random.random(50) < 0.5, 5) * 1.0
    other = np.repeat(random.random(50) < 0.7, 5) * 1.0
    apart, together = (
        paired_difference(Outcome(hits, groups), Outcome(other, groups))
        for groups in (np.arange(250), np.repeat(np.arange(50), 5))
    )
    assert together[3] == 50
    assert together[1][1] - together[1][0] > 1.8 * (apart[1][1] - apart[1][0])
    assert together[2] > apart[2]


@pytest.mark.parametrize(
    ("gap", "interval", "p", "said"),
    [
        (0.1, (0.05, 0.15), 0.01, "better"),
        (-0.1, (-0.15, -0.05), 0.01, "worse"),
        (0.1, (-0.01, 0.2), 0.01, "cannot tell"),
        (0.1, (0.05, 0.15), 0.06, "cannot tell"),
    ],
)
def test_a_verdict_needs_both_the_interval_and_the_test(gap, interval, p, said):
    assert verdict(gap, interval, p) == said


def test_reports_read_from_their_folders_compare_like_fresh_ones(tmp_path):
    fresh = [report(), report(ShortSighted())]
    for name, item in zip("ab", fresh, strict=True):
        item.save(tmp_path / name)
    assert compare([Report.load(tmp_path / name) for name in "ab"]) == compare(fresh)


def test_both_directions_of_retrieval_and_every_common_source_are_compared():
    sources = [labelled_source(each=3), captioned_source()]
    comparison = compare([evaluate(encoder, sources) for encoder in (ColourEncoder(), CollapsedEncoder())])
    assert [(row.source, row.metric) for row in comparison.differences] == [
        ("colours", "top1"),
        ("stripes", "text_to_image/recall@1"),
        ("stripes", "image_to_text/recall@1"),
    ]


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(UsageError, match="two reports or more"):
        compare([report()])
    with pytest.raises(UsageError, match="no source has the same pairs"):
        compare([report(), report(each=3)])
    bare = Report.model_validate_json(report().model_dump_json())
    with pytest.raises(UsageError, match="hold no outcomes"):
        compare([report(), bare])
    both = Source("both", [*labelled_source().pairs, *captioned_source().pairs])
    with pytest.raises(UsageError, match="no task in common"):
        compare([evaluate(ColourEncoder(), both, tasks=[task]) for task in ("zero_shot", "retrieval")])


def test_images_on_which_the_models_disagree_are_named_with_who_is_right():
    one, other = report(each=3), report(ShortSighted(), each=3)
    found = disagreements(one.sources[0], other.sources[0], "zero_shot", "top1", each=2)
    assert len(found) == 2
    assert all(d.key.startswith("cyan") and d.right == "baseline" for d in found)


def test_names_that_occur_twice_get_a_number():
    assert unique_names(["clip", "clip", "other", "clip"]) == ["clip", "clip (2)", "other", "clip (3)"]


def test_the_page_and_the_table_tell_each_difference():
    reports = [report(), report(ShortSighted()), report(CollapsedEncoder())]
    comparison = compare(reports)
    page, table = render_comparison(comparison, reports), as_markdown(comparison)
    assert "cyan" in page
    assert "−" in page or "-14.3" in page
    assert "colours: zero_shot top1" in page  # the curve over three models
    assert "<script" not in page
    assert "| short-sighted | colours | zero_shot top1 | 100.0 % | 85.7 % | -14.3 (" in table
    assert table.count("\n") == 6


def test_hostile_names_come_out_as_text():
    hostile = "<script>|x"
    pairs = [painted(f"{hostile}{i}", "cyan", label=f"{hostile} cyan") for i in range(9)]
    pairs += [painted(f"b{i}", "blue", label="blue") for i in range(9)]
    reports = [evaluate(encoder, Source(hostile, pairs)) for encoder in (ColourEncoder(), ShortSighted())]
    comparison = compare(reports)
    assert "<script" not in render_comparison(comparison, reports)
    assert "<script>\\|x" in as_markdown(comparison)
