"""A task that nobody but its own file knows of is measured, written, drawn, printed and read back."""

import numpy as np
from colour_encoder import ColourEncoder, captioned_source, labelled_source

from lexel.cli.print_report import print_metrics
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.metric import Metric
from lexel.evaluation.metrics.outcomes import Outcome
from lexel.evaluation.report.report import Report
from lexel.evaluation.report.sections import Chart, Line, Numbers, TaskSection

BRIGHTNESS = Metric(value=0.25, low=0.2, high=0.31, chance=0.5)


class Brightness:
    """A made-up task: needs a label, answers a constant."""

    name = "brightness"
    needs = "one label"

    def fits(self, wanted):
        return bool(wanted.source.labels)

    def measure(self, given):
        section = TaskSection(
            task=self.name,
            title="How bright it looks",
            headline="Looks bright a quarter of the time.",
            facts=("3 lamps",),
            warnings=("The lamps flicker.",),
            blocks=[
                Numbers(key="lamp", title="Of all lamps", metrics={"lit": BRIGHTNESS}, words={"lit": "Lit lamps"}),
                Chart(
                    title="Brightness by hour",
                    explanation="From noon.",
                    x_label="hour",
                    y_label="share",
                    lines=[Line(name="lamp one", x=[1, 2], y=[0.2, 0.4], low=(0.1, 0.3), high=(0.3, 0.5))],
                    references=(("dusk", 0.3),),
                ),
            ],
            method=("Lamps were counted by hand.",),
            headline_metrics=["lamp/lit"],
        )
        count = len(given.embedded.pairs)
        return section.with_outcomes({"lamp/lit": Outcome(np.ones(count, np.float32), np.arange(count))})


def test_a_new_task_appears_in_the_numbers_the_page_and_the_terminal_and_comes_back_from_its_files(tmp_path, capsys):
    report = evaluate(ColourEncoder(), labelled_source(), tasks=["zero_shot", Brightness()])
    assert report.metrics()["brightness/lamp/lit"] == 0.25
    report.save(tmp_path)
    page = (tmp_path / "report.html").read_text()
    for said in (
        "How bright it looks", "Looks bright a quarter of the time.", "3 lamps", "The lamps flicker.", "Lit lamps",
        "Of all lamps", "Brightness by hour", "lamp one", "dusk", "Lamps were counted by hand.",
    ):  # fmt: skip
        assert said in page, said
    print_metrics(report)
    printed = capsys.readouterr().out
    assert "lit                            25.0%   95 % interval 20.0% to 31.0%, chance 50.0%" in printed
    assert "Note: The lamps flicker." in printed
    loaded = Report.load(tmp_path)
    assert loaded.metrics() == report.metrics()
    assert loaded.sources[0].sections[1] == report.sources[0].sections[1]
    assert loaded.sources[0].keys == [pair.key for pair in labelled_source().pairs]


def test_a_task_is_left_out_of_sources_that_it_does_not_fit():
    [labelled, captioned] = evaluate(
        ColourEncoder(), [labelled_source(), captioned_source()], tasks=["retrieval", Brightness()]
    ).sources
    assert [section.task for section in labelled.sections] == ["brightness"]
    assert [section.task for section in captioned.sections] == ["retrieval"]
