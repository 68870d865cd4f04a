import pickle

import numpy as np
import pytest

from lexel.data.frozen_vectors import EmbeddedPictures, EmbeddedTexts, FrozenVectors
from lexel.data.order import Sample
from lexel.errors import BadImageError


@pytest.fixture
def vectors(tmp_path) -> FrozenVectors:
    np.save(tmp_path / "some.npy", np.arange(5000, dtype=np.float32).reshape(500, 10))
    return FrozenVectors(tmp_path / "some.npy")


def sample(source: int, index: int) -> Sample:
    return Sample(epoch=0, source=source, index=index, visit=0)


def test_the_row_of_a_picture_is_behind_those_of_the_sources_before(vectors):
    pictures = EmbeddedPictures(vectors, (100, 300, 100))
    assert [pictures.find(sample(*place))[0] for place in ((0, 7), (1, 0), (2, 99))] == [70, 1000, 4990]


def test_a_picture_without_an_embedding_says_why(vectors):
    with pytest.raises(BadImageError, match="truncated"):
        EmbeddedPictures(vectors, (100, 400), {103: "truncated"}).find(sample(1, 3))


def test_texts_get_their_rows_in_the_order_asked_for(vectors):
    texts = EmbeddedTexts(vectors, {"a": 0, "b": 2})
    np.testing.assert_array_equal(texts.find(["b", "a", "b"])[:, 0], [20, 0, 20])
    assert texts.find([]).shape == (0, 10)


def test_a_worker_gets_the_files_name_and_not_its_content(vectors):
    assert vectors.rows.shape == (500, 10)
    sent = pickle.dumps(EmbeddedPictures(vectors, (500,)))
    assert len(sent) < 500
    np.testing.assert_array_equal(pickle.loads(sent).find(sample(0, 3)), vectors.rows[3])
