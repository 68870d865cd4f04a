import itertools
from dataclasses import replace

import numpy as np
import pytest
from colour_encoder import (
    COLOURS,
    NAMES,
    Broken,
    CollapsedEncoder,
    ColourEncoder,
    Painted,
    captioned_source,
    labelled_source,
    painted,
)

from lexel.data.pairs import Pair, Source
from lexel.errors import DataError, ModelError, UsageError
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.twins import twin_scores
from lexel.evaluation.report.report import Report
from lexel.evaluation.source_fingerprint import source_fingerprint
from lexel.evaluation.tasks.base import DrawnTask
from lexel.evaluation.tasks.registry import PROBE_TASKS, TASKS


def both() -> Source:
    return Source("both", [*labelled_source().pairs, *captioned_source().pairs])


def test_the_tasks_follow_from_what_the_source_has():
    encoder = ColourEncoder()
    assert {name.split("/")[0] for name in evaluate(encoder, labelled_source()).metrics()} == {"zero_shot"}
    assert {name.split("/")[0] for name in evaluate(encoder, captioned_source()).metrics()} == {"retrieval"}
    metrics = evaluate(encoder, both()).metrics()
    assert metrics["zero_shot/top1"] == 1
    assert metrics["retrieval/image_to_text/recall@1"] == 1


def test_one_captioned_picture_is_named_but_not_searched_for():
    source = both()
    metrics = evaluate(ColourEncoder(), replace(source, pairs=source.pairs[:1]), labels=source.labels).metrics()
    assert {name.split("/")[0] for name in metrics} == {"zero_shot"}


def test_several_sources_are_told_apart_by_name():
    metrics = evaluate(ColourEncoder(), [labelled_source(), captioned_source()]).metrics()
    assert "colours/zero_shot/top1" in metrics
    assert "stripes/retrieval/text_to_image/recall@5" in metrics
    with pytest.raises(UsageError, match="given twice"):
        evaluate(ColourEncoder(), [labelled_source(), labelled_source()])


def test_a_source_may_be_given_as_it_is_written_and_the_test_split_is_taken(tmp_path):
    lines = ["file,label,split"]
    for i, (name, split) in enumerate((name, split) for name in COLOURS for split in ("train", "test")):
        Painted((name,)).load().save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{name},{split}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    report = evaluate(ColourEncoder(), str(tmp_path / "table.csv"))
    assert report.sources[0].split == "test"
    assert report.sources[0].images == len(COLOURS)
    assert report.metrics()["zero_shot/top1"] == 1


def test_requests_that_cannot_be_meant_are_refused():
    with pytest.raises(UsageError, match='Did you mean "retrieval"'):
        evaluate(ColourEncoder(), captioned_source(), tasks=["retreival"])
    with pytest.raises(UsageError, match="not enough for zero_shot"):
        evaluate(ColourEncoder(), captioned_source(), tasks=["zero_shot"])
    with pytest.raises(UsageError, match="No source"):
        evaluate(ColourEncoder(), [])
    with pytest.raises(UsageError, match="No task"):
        evaluate(ColourEncoder(), captioned_source(), tasks=[])


def test_warnings_say_what_is_wrong_with_the_data():
    pairs = [
        *labelled_source(each=2).pairs,
        Pair("torn", Broken(), label="red"),
        painted("long", "red", "blue", captions=("red and blue " * 9,)),
        painted("short", "green", captions=("green",)),
    ]
    [source] = evaluate(ColourEncoder(), Source("s", pairs), labels=[*ALL_BUT_RED, "violet"]).sources
    said = "\n".join(source.all_warnings)
    assert "Unreadable and left out: 1 of 17 images (torn: the file ends in the middle)" in said
    assert "Longer than the model reads, and cut off at its end: 1 of 2 captions" in said
    assert "2 images have no label" in said
    assert "Left out, as their label is not to choose from: 2 images (red)" in said
    assert "1 label to choose from occurs in none of the images (violet)" in said
    assert "12 labelled images: its interval is" in said
    assert source.unreadable == 1


ALL_BUT_RED = ["green", "blue", "yellow", "white", "black", "cyan"]


def test_a_result_at_chance_is_called_so():
    [source] = evaluate(CollapsedEncoder(), both()).sources
    said = "\n".join(source.all_warnings)
    assert "Naming is not distinguishable from guessing" in said
    assert "Text → image retrieval is not distinguishable" in said


def test_beating_a_guess_but_not_the_commonest_label_is_called_so():
    common = [painted(f"c{i}", "red", label="red") for i in range(90)]
    rare = [painted(f"r{i}", "red", label=name) for i in range(2) for name in ALL_BUT_RED[:5]]
    [source] = evaluate(ColourEncoder(), Source("skewed", [*common, *rare])).sources
    assert 'Always saying "red" would be right 90\xa0% of the time' in "\n".join(source.all_warnings)


def test_the_fingerprint_of_a_source_is_that_of_its_content():
    source = captioned_source()
    assert source_fingerprint(source) == source_fingerprint(Source("elsewhere", list(source.pairs)))
    assert source_fingerprint(source) != source_fingerprint(Source("fewer", source.pairs[:-1]))


def test_a_report_comes_back_from_json_as_it_was(tmp_path):
    report = evaluate(ColourEncoder(), both(), templates=["a {}"])
    report.save(tmp_path / "out")
    loaded = Report.load(tmp_path / "out")
    assert loaded.model_dump() == report.model_dump()
    assert loaded.metrics() == report.metrics()
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again/report.json").read_bytes() == (tmp_path / "out/report.json").read_bytes()


def test_a_missing_or_damaged_report_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no report"):
        Report.load(tmp_path)
    (tmp_path / "report.json").write_text('{"model": 3}')
    with pytest.raises(DataError, match="not a report"):
        Report.load(tmp_path)


def test_the_same_evaluation_shows_the_same_examples():
    first, second = (evaluate(ColourEncoder(), both()).sources[0] for _ in range(2))
    assert first == second


def test_a_model_that_emits_constants_is_named_as_such_whatever_the_task():
    for tasks in (["zero_shot"], ["knn"], ["geometry"]):
        [source] = evaluate(CollapsedEncoder(), labelled_source(each=6), tasks=tasks).sources
        assert any("gives all images the same embedding" in warning for warning in source.warnings)


def test_images_with_neither_label_nor_caption_are_counted():
    source = labelled_source()
    pairs = [*source.pairs, painted("bare", "red")]
    [found] = evaluate(ColourEncoder(), Source("some bare", pairs)).sources
    assert found.warnings == ["1 image has neither label nor caption: left out."]


def test_embeddings_of_another_number_than_the_pairs_are_refused():
    source = labelled_source()
    with pytest.raises(UsageError, match=r"shape \(2, 4\) do not belong to 21 pairs"):
        EmbeddedSource(source, list(source.pairs), np.ones((2, 4), np.float32), [])


ASKED = [task.name for task in TASKS if not isinstance(task, DrawnTask) and task.name not in PROBE_TASKS]


@pytest.mark.parametrize("broken", ["image", "text"])
@pytest.mark.parametrize("task", ASKED)
def test_embeddings_that_are_no_numbers_are_refused_by_every_task_that_looks_at_them(task, broken):
    class Damaged(ColourEncoder):
        def _image(self, image):
            return super()._image(image) * (np.nan if broken == "image" else 1)

        def embed_texts(self, texts):
            return super().embed_texts(texts) * (np.nan if broken == "text" else 1)

    said = {"hierarchy": "{0[0]}/{0}", "multi_label": "{}, {}"}.get(task, "{}")
    labelled = zip(labelled_source(each=4).pairs, itertools.cycle(NAMES[:3]), strict=False)
    pairs = [
        replace(pair, captions=(f"a {pair.label} thing on a wall", "it"), label=said.format(pair.label, other))
        for pair, other in labelled
    ]
    if task == "knn" and broken == "text":
        return  # it reads no texts
    with pytest.raises(ModelError, match="not all finite"):
        evaluate(Damaged(), Source("all of it", pairs), tasks=[task])


def test_twins_of_embeddings_that_are_no_numbers_are_refused():
    vectors = np.full((1, 2, 3), np.nan)
    for images, captions in ((vectors, np.ones((1, 2, 3))), (np.ones((1, 2, 3)), vectors)):
        with pytest.raises(ModelError, match="not all finite"):
            twin_scores(images, captions)
