import os
from types import SimpleNamespace

import numpy as np
import pytest
from colour_encoder import ColourEncoder, Painted
from PIL import Image

from lexel.data.pairs import EmbeddedImage, ImageFile, Pair, Source
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.evaluation_cache import EvaluationCache, chosen_cache, default_cache
from lexel.images import Preprocessing


class Counting(ColourEncoder):
    """Counts what it has to embed."""

    runtime = SimpleNamespace(number_format="float32")
    preprocessing = Preprocessing()
    exact = False

    def __init__(self):
        self.images = self.texts = 0

    def embed_readable(self, images, what=None):
        self.images += len(images)
        return super().embed_readable(images, what)

    def embed_texts(self, texts):
        self.texts += len(texts)
        return super().embed_texts(texts)


@pytest.fixture
def cache(tmp_path):
    return EvaluationCache(tmp_path / "cache")


@pytest.fixture
def files(tmp_path):
    for colour in ("red", "blue"):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{colour}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return [ImageFile(tmp_path / f"{name}.png") for name in ("red", "broken", "blue")]


def embedded_again(encoder, cache, pictures) -> bool:
    before = encoder.images
    vectors, kept, bad = cache.embed_readable(encoder, pictures, None)
    fresh, fresh_kept, fresh_bad = ColourEncoder().embed_readable(pictures)
    assert np.array_equal(vectors, fresh)
    assert kept.tolist() == fresh_kept.tolist()
    assert bad == fresh_bad
    return encoder.images > before


def test_the_same_pictures_are_embedded_once_and_their_faults_remembered(cache, files):
    encoder = Counting()
    assert embedded_again(encoder, cache, files)
    assert not embedded_again(encoder, cache, files)
    assert embedded_again(encoder, cache, files[::-1])  # in another order they are others


def test_a_changed_picture_is_embedded_again(cache, files):
    encoder = Counting()
    embedded_again(encoder, cache, files)
    Image.new("RGB", (9, 9), "green").save(files[0].path)
    assert embedded_again(encoder, cache, files)
    contents = [EmbeddedImage(file.path.read_bytes()) for file in files[::2]]
    assert embedded_again(encoder, cache, contents)
    assert not embedded_again(encoder, cache, contents)
    assert embedded_again(encoder, cache, contents[::-1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fingerprint", "another"),
        ("runtime", SimpleNamespace(number_format="bfloat16")),
        ("preprocessing", Preprocessing(resize="squash")),
        ("exact", True),
    ],
)
def test_another_model_finds_nothing_of_the_first(cache, files, name, value):
    embedded_again(Counting(), cache, files)
    other = Counting()
    setattr(other, name, value)
    assert embedded_again(other, cache, files)


def test_pictures_of_unknown_kinds_and_missing_files_are_not_kept(cache, files, tmp_path):
    encoder = Counting()
    for pictures in ([Painted(("red",))], [*files, ImageFile(tmp_path / "gone.png")]):
        assert embedded_again(encoder, cache, pictures)
        assert embedded_again(encoder, cache, pictures)


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_entry_is_passed_over_and_replaced(cache, files, damage):
    encoder = Counting()
    embedded_again(encoder, cache, files)
    [entry] = cache.folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:-7] if damage is None else damage)
    assert embedded_again(encoder, cache, files)
    assert not embedded_again(encoder, cache, files)


def test_what_was_used_least_recently_goes_first_and_the_bound_is_kept(cache, files):
    encoder = Counting()
    for number, file in enumerate(files):
        embedded_again(encoder, cache, [file])
        [new] = [path for path in cache.folder.iterdir() if path.stat().st_mtime > 1000]
        os.utime(new, (number + 1, number + 1))
    assert not embedded_again(encoder, cache, files[:1])  # used just now
    cache.most_bytes = sum(path.stat().st_size for path in cache.folder.iterdir())
    embedded_again(encoder, cache, files[:2])
    assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= cache.most_bytes
    assert not embedded_again(encoder, cache, files[:1])
    assert embedded_again(encoder, cache, files[1:2])
    cache.most_bytes = 10
    embedded_again(encoder, cache, files[1:])  # too large for the cache as a whole
    assert embedded_again(encoder, cache, files[1:])


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(files, tmp_path):
    (tmp_path / "file").touch()
    assert embedded_again(Counting(), EvaluationCache(tmp_path / "file"), files)
    assert embedded_again(Counting(), EvaluationCache(tmp_path / "file" / "below"), files)


def test_a_second_evaluation_embeds_neither_pictures_nor_captions(cache, files):
    pairs = [Pair(file.path.name, file, (f"something {file.path.stem}",), file.path.stem) for file in files]
    source = Source("files", pairs)
    first, second = Counting(), Counting()
    reports = [evaluate(encoder, source, tasks=["retrieval", "counting"], cache=cache) for encoder in (first, second)]
    assert reports[0].metrics() == reports[1].metrics()
    assert first.images >= len(files)
    assert first.texts
    assert (second.images, second.texts) == (0, 0)


def test_a_caller_asks_for_the_default_cache_a_folder_or_none(tmp_path, monkeypatch):
    monkeypatch.setenv("LEXEL_CACHE", str(tmp_path / "lexel"))
    assert chosen_cache(None) is chosen_cache(False) is None
    default = chosen_cache(True)
    assert default is not None
    assert default.folder == default_cache().folder == tmp_path / "lexel" / "embeddings"
    for place in (tmp_path / "mine", str(tmp_path / "mine")):
        chosen = chosen_cache(place)
        assert chosen is not None
        assert chosen.folder == tmp_path / "mine"
    assert chosen_cache(default) is default
