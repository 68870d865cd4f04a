import numpy as np
import pytest
from colour_encoder import ColourEncoder, labelled_source

from lexel.evaluation.comparison.compare import compare
from lexel.evaluation.comparison.page import render_comparison
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.pictures.drawn_twins import PROBES, draw_twins
from lexel.evaluation.report.report import Report
from lexel.evaluation.tasks.compositional.drawn_probes import DrawnProbe
from lexel.evaluation.tasks.registry import TASKS

TWINS = 12


class Knowing(ColourEncoder):
    """Knows the caption of every twin; where `fooled`, it takes each for that of the other."""

    def __init__(self, probe, fooled=False):
        self.name = "fooled" if fooled else "knowing"
        pairs = draw_twins(probe, TWINS).pairs
        self.captions = list(dict.fromkeys(pair.captions[0] for pair in pairs))
        order = [i ^ 1 for i in range(len(pairs))] if fooled else range(len(pairs))
        self.seen = {
            np.asarray(p.picture.load()).tobytes(): pairs[i].captions[0] for p, i in zip(pairs, order, strict=True)
        }

    def _image(self, image):
        said = self.seen.get(np.asarray(image.load()).tobytes())
        return self.embed_texts([said])[0] if said else np.full(len(self.captions), 0.1)

    def embed_texts(self, texts):
        return np.array([[float(text == caption) for caption in self.captions] for text in texts], np.float32)


def probe(name):
    return DrawnProbe(name, "a trial", twins=TWINS)


def test_every_probe_is_among_the_tasks_by_its_name():
    assert set(PROBES) <= {task.name for task in TASKS}


@pytest.mark.parametrize("name", PROBES)
def test_a_model_that_knows_passes_and_one_that_confuses_twins_fails(name):
    [passed] = evaluate(Knowing(name), labelled_source(each=1), tasks=[probe(name)]).sources[0].sections
    assert {key: metric.value for key, metric in passed.metrics.items()} == dict.fromkeys(passed.metrics, 1)
    assert not passed.warnings
    [failed] = evaluate(Knowing(name, True), labelled_source(each=1), tasks=[probe(name)]).sources[0].sections
    assert {key: metric.value for key, metric in failed.metrics.items()} == dict.fromkeys(failed.metrics, 0)
    assert "less often than by guessing" in failed.warnings[0]


def test_a_bag_of_colours_does_not_bind_them_to_shapes():
    [section] = evaluate(ColourEncoder(), labelled_source(each=1), tasks=[probe("binding")]).sources[0].sections
    assert section.metrics["captions"].value == 0.25
    assert "not distinguishable from guessing" in section.warnings[0]


def test_probes_are_compared_between_models_and_shown_with_their_scenes(tmp_path):
    source = labelled_source(each=1)
    reports = []
    for fooled in (True, False):
        report = evaluate(Knowing("size", fooled), source, tasks=["zero_shot", probe("size")])
        report.save(tmp_path / str(fooled))
        assert (tmp_path / str(fooled) / "report.html").read_text().count("Some of the images") == 1
        assert any(key.startswith("size/") for key in report.sources[1].pictures)
        reports.append(Report.load(tmp_path / str(fooled)))
    comparison = compare(reports)
    [told_apart] = [row for row in comparison.differences if row.metric == "captions"]
    assert (told_apart.difference, told_apart.n, told_apart.verdict) == (1, TWINS, "better")
    page = render_comparison(comparison, reports)
    assert "size captions: knowing against fooled" not in page  # of drawn scenes there are no images to dispute
