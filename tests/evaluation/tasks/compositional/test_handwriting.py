import numpy as np
import pytest
from colour_encoder import CollapsedEncoder, ColourEncoder
from sklearn.datasets import load_digits

from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.pictures.digits import EACH_DIGIT, draw_digits
from lexel.evaluation.tasks.compositional.handwriting import Handwriting

EACH = 3


class Typist(ColourEncoder):
    """Reads printed digits and takes every handwritten one for a 0."""

    def __init__(self):
        self.seen = {}
        for pair in draw_digits(EACH).pairs:
            said = "0" if pair.key.startswith("written/") else pair.label
            self.seen[np.asarray(pair.picture.load()).tobytes()] = np.eye(10, dtype=np.float32)[int(said)]

    def _image(self, image):
        return self.seen[np.asarray(image.load()).tobytes()]

    def embed_texts(self, texts):
        return np.array([[float(f'"{digit}"' in text) for digit in range(10)] for text in texts], np.float32)


def test_handwriting_and_print_are_measured_apart_in_the_prompt_for_digits():
    [section] = evaluate(Typist(), tasks=[Handwriting(each=EACH)]).sources[0].sections
    found = {name: metric.value for name, metric in section.metrics.items()}
    assert found == pytest.approx({"written": 0.1, "printed": 1, "sharp": 1, "gap": 90})
    assert section.templates == ('a photo of the number: "{}".',)
    assert "not distinguishable from guessing" in section.warnings[0]


def test_a_collapsed_model_reads_at_chance():
    [section] = evaluate(CollapsedEncoder(), tasks=[Handwriting(each=EACH)]).sources[0].sections
    assert [section.metrics[kind].value for kind in ("written", "printed", "sharp")] == pytest.approx([0.1] * 3)


def test_the_digits_are_scikit_learns_and_as_many_printed_ones_that_no_two_are_alike():
    pairs = draw_digits().pairs
    assert len(pairs) == 3 * 10 * EACH_DIGIT
    written = [pair for pair in pairs if pair.key.startswith("written/")]
    cells = {
        row.astype(np.uint8).tobytes(): str(label) for row, label in zip(*load_digits(return_X_y=True), strict=True)
    }
    assert all(cells[pair.picture.cells] == pair.label for pair in written)
    sharp = [pair.picture.load().tobytes() for pair in pairs if pair.key.startswith("sharp/")]
    assert len(set(sharp)) == len(sharp)
