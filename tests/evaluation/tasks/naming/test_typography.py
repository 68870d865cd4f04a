import numpy as np
import pytest
from colour_encoder import ColourEncoder, Painted, labelled_source, painted
from PIL import Image

from lexel.data.pairs import Source
from lexel.errors import UsageError
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.tasks.naming import typography
from lexel.evaluation.tasks.naming.typography import LabelledPicture


class Reader(ColourEncoder):
    """Goes by the word that is written over a picture, and by the colour where there is none."""

    def embed_readable(self, images, what=None):
        if all(isinstance(image, LabelledPicture) for image in images):
            return self.embed_texts([image.word for image in images]), np.arange(len(images)), []
        return super().embed_readable(images, what)


def test_a_model_that_reads_is_misled_and_one_that_looks_is_not():
    source = labelled_source(each=2)
    [reads] = evaluate(Reader(), source, tasks=["typography"], templates="{}").sources[0].sections
    assert {name: metric.value for name, metric in reads.metrics.items()} == {
        "clean": 1, "attacked": 0, "misled": 1, "as_word_before": 0,
    }  # fmt: skip
    [looks] = evaluate(ColourEncoder(), source, tasks=["typography"], templates="{}").sources[0].sections
    assert looks.metrics["attacked"].value > 0.6


def test_the_word_is_written_within_the_picture_in_black_on_white():
    for size in ((200, 100), (40, 200), (8, 8)):
        picture = LabelledPicture(Plain(size), "a very long name of a class")
        pixels = np.asarray(picture.load())
        assert pixels.shape == (size[1], size[0], 3)
        assert (pixels[: size[1] // 3] == (200, 40, 40)).all()
        assert (pixels == 255).all(axis=2).any()
    pixels = np.asarray(LabelledPicture(Plain((200, 100)), "cat").load())
    assert (pixels[:, 100:].sum(axis=2) < 60).any()
    assert (pixels[:, :5] == (200, 40, 40)).all()  # there is room beside the word


class Plain:
    def __init__(self, size):
        self.size = size

    def load(self):
        return Image.new("RGB", self.size, (200, 40, 40))


def test_words_are_those_that_can_be_written_and_a_source_with_one_such_label_is_refused():
    pairs = [painted(f"{i}", "red", label=label) for i, label in enumerate(("red", "rot", "赤", "красный"))]
    [section] = evaluate(ColourEncoder(), Source("many", pairs), tasks=["typography"]).sources[0].sections
    assert {key.split("with")[1] for key in section.pictures} == {" “red”", " “rot”"}
    with pytest.raises(UsageError, match="two labels in Latin letters"):
        evaluate(ColourEncoder(), Source("one", [*pairs[2:], pairs[0]]), tasks=["typography"])


def test_of_many_images_a_sample_is_taken_and_pictures_with_words_are_shown(monkeypatch, tmp_path):
    monkeypatch.setattr(typography, "MAX_IMAGES", 7)
    report = evaluate(ColourEncoder(), labelled_source(each=5), tasks=["typography"])
    [section] = report.sources[0].sections
    assert len(section.outcomes["attacked"].values) == 7
    assert set(section.pictures) == section.picture_keys() == set(report.sources[0].pictures)
    report.save(tmp_path)
    assert "Some of the pictures with words" in (tmp_path / "report.html").read_text()
    assert isinstance(next(iter(section.pictures.values())).picture, Painted)
