"""An exact search is the retrieval evaluation: known captions as queries find as many of their photos."""

from pathlib import Path

import numpy as np
import pytest

import lexel
from lexel.data.readers import read_source
from lexel.library.library import Library


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> str:
    """Drawn pictures with side-car captions."""
    folder = tmp_path_factory.mktemp("captioned")
    for number, pair in enumerate(read_source("scenes:80/val").pairs):
        pair.picture.load().save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(pair.captions[0])
    return str(folder)


def test_recall_of_known_captions_is_that_of_the_evaluation(source, tiny_model, tmp_path):
    encoder = lexel.load(tiny_model)
    measured = lexel.evaluate(encoder, source, tasks=["retrieval"]).metrics()
    pairs = read_source(source).pairs
    names_of = {}
    for pair in pairs:
        names_of.setdefault(pair.captions[0], set()).add(Path(pair.key).name)
    with Library.open(tmp_path / "l.lexel", encoder, create=True) as library:
        library.add(source)
        for count in (1, 5, 10):
            found = [
                bool(names & {hit.photo.name for hit in library.search(caption, top=count, literal=True)})
                for caption, names in names_of.items()
            ]
            assert np.mean(found) == pytest.approx(measured[f"retrieval/text_to_image/recall@{count}"], abs=1e-9)
