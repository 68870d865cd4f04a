"""Published retrieval and zero-shot numbers against CLIP_benchmark's own code on the same embeddings.

Its numbers are kept in golden/clip_benchmark.json (golden/make_clip_benchmark.py); where it is installed its code runs
again.
"""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import ColourEncoder, Painted
from golden.clip_benchmark_case import naming_case, retrieval_case, several_labels_case, tied_case

from lexel.data.pairs import Pair, Source
from lexel.evaluation.embedded_source import EmbeddedSource
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.metrics.average_precision import mean_average_precision

GOLDEN = json.loads((Path(__file__).parent / "golden" / "clip_benchmark.json").read_text())


@dataclass
class Remembering(ColourEncoder):
    """Knows the embedding of each of its texts."""

    texts: dict[str, np.ndarray]

    def embed_texts(self, texts):
        return np.stack([self.texts[text] for text in texts])


def embedded(vectors, **facts) -> EmbeddedSource:
    pairs = [
        Pair(f"{row:03d}", Painted(("red",)), **{name: values[row] for name, values in facts.items()})
        for row in range(len(vectors))
    ]
    return EmbeddedSource(Source("same embeddings", pairs), pairs, vectors, [])


def published(images, texts, image_of):
    captions = [tuple(f"caption {i}" for i in np.flatnonzero(image_of == row)) for row in range(len(images))]
    encoder = Remembering({f"caption {i}": text for i, text in enumerate(texts)})
    return evaluate(encoder, embedded(images, captions=captions), tasks=["published_retrieval"]).metrics()


def test_published_retrieval_is_what_clip_benchmark_measures():
    found = published(*retrieval_case())
    for name, value in GOLDEN["retrieval"].items():
        assert found[f"published_retrieval/{name}"] == pytest.approx(value, abs=1e-6), name


def test_tied_images_count_as_clip_benchmark_does_on_average_over_their_orders():
    found = published(*tied_case())
    for name, value in GOLDEN["tied"].items():
        assert found[f"published_retrieval/{name}"] == pytest.approx(value, abs=1e-6), name


def test_naming_is_what_clip_benchmark_measures():
    images, labels, classes = naming_case()
    names = [f"class {column:02d}" for column in range(len(labels))]
    source = embedded(images, label=[names[column] for column in classes])
    encoder = Remembering(dict(zip(names, labels, strict=True)))
    found = evaluate(encoder, source, tasks=["zero_shot"], templates="plain", labels=names).metrics()
    for name, value in GOLDEN["naming"].items():
        assert found[f"zero_shot/{name}"] == pytest.approx(value, abs=1e-6), name


def test_average_precision_of_several_labels_is_what_clip_benchmark_measures():
    found = mean_average_precision(*several_labels_case())
    assert found.tolist() == pytest.approx(GOLDEN["average_precision"], abs=1e-6)


@pytest.mark.skipif(find_spec("clip_benchmark") is None, reason="clip-benchmark is not installed")
def test_the_golden_numbers_are_those_of_the_installed_code():
    from golden.make_clip_benchmark import all_of_it

    again = all_of_it()
    for part in ("retrieval", "tied", "naming"):
        assert again[part] == pytest.approx(GOLDEN[part], abs=1e-6)
    assert again["average_precision"] == pytest.approx(GOLDEN["average_precision"], abs=1e-6)
