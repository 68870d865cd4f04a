import io
import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

import lexel
from lexel.batches import Batching
from lexel.calibration import Calibration
from lexel.data.pairs import ImageFile
from lexel.data.scenes import read_scenes
from lexel.encoder import MIN_IMAGES_FOR_PROGRESS, Encoder
from lexel.errors import BadImageError, ModelError, UsageError


@pytest.fixture(scope="module")
def encoder(tiny_model) -> Encoder:
    return lexel.load(tiny_model)


@pytest.fixture(scope="module")
def scenes() -> list[Image.Image]:
    return [pair.picture.load() for pair in read_scenes("scenes:6/val").pairs]


CAPTIONS = ["a red circle", "two blue stars beside a small green cross", "", "a leaf"]


def with_bias(encoder: Encoder, bias: float) -> Encoder:
    """The same, as if it had been trained with the sigmoid loss."""

    class Biased(type(encoder.runtime)):
        logit_bias = bias

    return Encoder(
        Biased(encoder.clip), encoder.tokenizer, encoder.preprocessing, name="biased", fingerprint=encoder.fingerprint
    )


class Overflowing:
    """The encoder's runtime, but all of its vectors are infinite."""

    def __init__(self, encoder: Encoder) -> None:
        self.inner = encoder.runtime

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def image_vectors(self, pixels):
        return self.inner.image_vectors(pixels) * np.float32(np.inf)

    def text_vectors(self, ids):
        return self.inner.text_vectors(ids) * np.float32(np.inf)


class InLanes:
    """The encoder's runtime, which wants its work cut small and done side by side, and remembers how it was."""

    def __init__(self, encoder: Encoder, lanes: int) -> None:
        self.inner = encoder.runtime
        self.batching = Batching(lanes=lanes, images=2, overhead=4)
        self.threads: set[int] = set()
        self.batches: list[int] = []
        self.alone = 0  # calls outside a lane
        self.inside = threading.local()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    @contextmanager
    def lane(self):
        self.inside.lane = True
        yield
        self.inside.lane = False

    def image_vectors(self, pixels):
        return self._note(pixels, self.inner.image_vectors)

    def text_vectors(self, ids):
        return self._note(ids, self.inner.text_vectors)

    def _note(self, rows, call):
        self.threads.add(threading.get_ident())
        self.batches.append(len(rows))
        self.alone += not getattr(self.inside, "lane", False)
        return call(rows)


def in_lanes(encoder: Encoder, lanes: int) -> tuple[Encoder, InLanes]:
    runtime = InLanes(encoder, lanes)
    return Encoder(runtime, encoder.tokenizer, encoder.preprocessing, name="lanes", fingerprint=""), runtime


def test_embeddings_are_float32_unit_vectors_in_the_order_given(encoder, scenes):
    images = encoder.embed_images(scenes)
    assert images.shape == (6, encoder.dimensions)
    assert images.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(encoder.embed_images(scenes[::-1]), images[::-1], atol=1e-6)


def test_a_picture_gives_the_same_vector_in_whatever_form_it_comes(encoder, scenes, tmp_path):
    path = tmp_path / "scene.png"
    scenes[0].save(path)
    content = io.BytesIO()
    scenes[0].save(content, format="PNG")
    forms = [str(path), path, content.getvalue(), scenes[0], np.asarray(scenes[0]), ImageFile(path)]
    vectors = encoder.embed_images(forms)
    np.testing.assert_allclose(vectors, np.repeat(vectors[:1], len(forms), axis=0), atol=1e-6)


def test_texts_equal_the_clip_run_on_captions_padded_to_the_whole_context(encoder):
    rows = encoder.tokenizer.encode(CAPTIONS)
    padded = np.zeros((len(rows), encoder.tokenizer.context_length), np.int64)
    short = encoder.tokenizer.stack(rows)
    padded[:, : short.shape[1]] = short
    with torch.no_grad():
        expected = normalize(encoder.clip.encode_text(torch.from_numpy(padded)), dim=-1).numpy()
    np.testing.assert_allclose(encoder.embed_texts(CAPTIONS), expected, atol=1e-5)


def test_images_equal_the_clip_run_on_preprocessed_pixels(encoder, scenes):
    pixels = torch.from_numpy(np.stack([encoder.preprocess(scene) for scene in scenes]))
    with torch.no_grad():
        expected = normalize(encoder.clip.encode_image(pixels), dim=-1).numpy()
    np.testing.assert_allclose(encoder.embed_images(scenes), expected, atol=1e-5)


def test_what_cannot_be_read_is_named_and_the_rest_keeps_its_place(encoder, scenes, tmp_path):
    missing = tmp_path / "missing.png"
    vectors, kept, bad = encoder.embed_readable([missing, scenes[0], b"no picture", scenes[1]], what=None)
    assert kept.tolist() == [1, 3]
    assert bad == [(0, f"{missing}: no such file"), (2, "not an image of a known format")]
    np.testing.assert_allclose(vectors, encoder.embed_images(scenes[:2]), atol=1e-6)


def test_embed_images_refuses_the_first_picture_that_cannot_be_read(encoder, scenes):
    with pytest.raises(BadImageError, match="Image 2 cannot be read: empty file"):
        encoder.embed_images([scenes[0], b"", b""])


def test_pictures_of_which_none_can_be_read_need_no_text_tower(tiny_model, monkeypatch):
    encoder = lexel.load(tiny_model)
    expected = encoder.embed_texts([""]).shape[1]
    monkeypatch.setattr(encoder.runtime, "text_vectors", None)
    assert encoder.embed_readable([b"", b"no picture"])[0].shape == (0, expected)


def test_nothing_gives_empty_arrays_of_the_right_shape(encoder):
    vectors, kept, bad = encoder.embed_readable([])
    assert (vectors.shape, kept.shape, bad) == ((0, encoder.dimensions), (0,), [])
    assert encoder.embed_images([]).shape == encoder.embed_texts([]).shape == (0, encoder.dimensions)
    assert encoder.probabilities([], CAPTIONS).shape == (0, len(CAPTIONS))
    assert encoder.tokenize([]).shape == (0, 0)


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("bad", [0, 3, 40])
def test_images_keep_their_order_over_batches_and_lanes(encoder, scenes, bad, lanes):
    cut, runtime = in_lanes(encoder, lanes)
    many = [scenes[number % len(scenes)] for number in range(41)]
    vectors, kept, failed = cut.embed_readable([*many[:bad], b"", *many[bad + 1 :]], what=None)
    assert [index for index, _ in failed] == [bad]
    assert kept.tolist() == [index for index in range(41) if index != bad]
    np.testing.assert_allclose(vectors, encoder.embed_images(scenes)[kept % len(scenes)], atol=1e-5)
    assert sum(runtime.batches) == 40
    assert max(runtime.batches) <= 8  # small pictures, but no more than four times the usual batch
    assert runtime.alone == (len(runtime.batches) if lanes == 1 else 0)


@pytest.mark.parametrize("lanes", [1, 3])
def test_texts_keep_their_order_over_batches_and_lanes(encoder, lanes):
    cut, runtime = in_lanes(encoder, lanes)
    words = ["red", "blue", "a big green star", "circle", "two small hearts"]
    texts = [" ".join(words[: 1 + number % 5]) for number in range(50)]
    expected = np.concatenate([encoder.embed_texts([text]) for text in texts])
    np.testing.assert_allclose(cut.embed_texts(texts), expected, atol=1e-5)
    assert len(runtime.batches) >= max(5, 2 * lanes)  # texts of five lengths are not padded to one
    assert runtime.alone == (len(runtime.batches) if lanes == 1 else 0)


def test_a_single_picture_and_a_few_texts_have_all_cores_and_no_thread(encoder, scenes):
    cut, runtime = in_lanes(encoder, 2)
    cut.embed_images(scenes[:1])
    cut.embed_texts(["red"])
    assert runtime.threads == {threading.get_ident()}
    assert runtime.alone == 2


def test_an_error_while_decoding_beside_the_towers_reaches_the_caller(encoder, scenes):
    cut, _ = in_lanes(encoder, 2)
    with pytest.raises(UsageError, match="Image 7: an image array must be uint8"):
        cut.embed_images([*scenes, np.zeros((4, 4, 3), int), *scenes])


def test_progress_is_shown_on_long_work_only(encoder, scenes, monkeypatch):
    shown = []
    monkeypatch.setattr("lexel.encoder.track", lambda items, what, total: shown.append((what, total)) or items)
    encoder.embed_readable([scenes[0]] * (MIN_IMAGES_FOR_PROGRESS - 1), what="Embedding")
    encoder.embed_readable([scenes[0]] * MIN_IMAGES_FOR_PROGRESS, what=None)
    assert shown == []
    encoder.embed_readable([scenes[0]] * MIN_IMAGES_FOR_PROGRESS, what="Embedding")
    assert shown == [("Embedding", MIN_IMAGES_FOR_PROGRESS)]


def test_an_exact_encoder_decodes_jpegs_whole_and_another_nearly_so(encoder, tmp_path):
    ramp = np.linspace(0, 255, 1200).astype(np.uint8)
    picture = np.random.default_rng(0).integers(-40, 40, (900, 1200, 3)) + np.stack([ramp, ramp[::-1], ramp // 2], -1)
    path = tmp_path / "large.jpg"
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    exact = Encoder(encoder.runtime, encoder.tokenizer, encoder.preprocessing, name="exact", fingerprint="", exact=True)
    whole = encoder.preprocess(np.asarray(Image.open(path)))
    np.testing.assert_array_equal(exact.preprocess(path), whole)
    scaled = encoder.preprocess(path)
    assert 0 < np.abs(scaled - whole).mean() < 0.03  # one grey level is about 0.015


def test_similarities_are_cosines(encoder, scenes):
    cosines = encoder.similarity(scenes, CAPTIONS)
    np.testing.assert_allclose(cosines, encoder.embed_images(scenes) @ encoder.embed_texts(CAPTIONS).T, atol=1e-6)
    assert np.abs(cosines).max() <= 1 + 1e-6


def test_probabilities_are_a_softmax_over_the_texts_with_the_learned_scale(encoder, scenes):
    rows = encoder.probabilities(scenes, CAPTIONS)
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    logits = torch.from_numpy(encoder.similarity(scenes, CAPTIONS)).double() * encoder.logit_scale
    np.testing.assert_allclose(rows, logits.softmax(dim=1).numpy(), rtol=1e-6)


def test_probabilities_of_a_sigmoid_model_stand_each_for_itself(encoder, scenes):
    rows = with_bias(encoder, -10.0).probabilities(scenes, CAPTIONS)
    logits = torch.from_numpy(encoder.similarity(scenes, CAPTIONS)).double() * encoder.logit_scale - 10
    np.testing.assert_allclose(rows, logits.sigmoid().numpy(), rtol=1e-6)


def test_a_match_is_the_calibrated_probability_of_the_cosine(encoder, scenes):
    calibration = Calibration(slope=9, intercept=-2, pairs=50, expected_calibration_error=0.01, source="scenes")
    calibrated = Encoder(
        encoder.runtime,
        encoder.tokenizer,
        encoder.preprocessing,
        name="calibrated",
        fingerprint="",
        calibration=calibration,
    )
    cosines = encoder.similarity(scenes, CAPTIONS)
    matches = calibrated.match(scenes, CAPTIONS)
    assert matches.shape == (len(scenes), len(CAPTIONS))
    np.testing.assert_allclose(matches, 1 / (1 + np.exp(2 - 9 * cosines.astype(float))), atol=1e-5)
    np.testing.assert_allclose(calibrated.match_of(cosines), matches, atol=1e-5)


def test_a_model_without_calibration_says_how_to_get_one(encoder, scenes):
    encoder = in_lanes(encoder, 1)[0]
    with pytest.raises(UsageError, match=r"lanes has not been calibrated.*\n.*lexel models calibrate MODEL SOURCE"):
        encoder.match(scenes, CAPTIONS)
    with pytest.raises(UsageError, match="not been calibrated"):
        encoder.match_of(np.zeros(3))


@pytest.mark.parametrize("verb", ["embed_texts", "tokenize", "count_truncated", "embed_images"])
def test_a_single_text_or_path_is_refused_and_not_taken_letter_by_letter(encoder, verb):
    with pytest.raises(UsageError, match=r"Give a list, not a single str: put it in \[ \]"):
        getattr(encoder, verb)("a cat")


def test_a_single_array_is_refused_and_not_taken_row_by_row(encoder):
    one = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match="Give a list, not a single ndarray"):
        encoder.embed_images(one)
    assert encoder.embed_images(one[None]).shape == (1, encoder.dimensions)


def test_long_captions_are_counted_and_cut(encoder):
    long = "red " * 100
    assert encoder.count_truncated([long, "red"]) == 1
    assert encoder.tokenize([long]).shape == (1, encoder.tokenizer.context_length)


def test_a_fingerprint_and_a_name_come_from_the_folder(encoder, tiny_model):
    assert encoder.name == json.loads((tiny_model / "model.json").read_text())["name"] == "tiny"
    assert encoder.fingerprint == lexel.load(tiny_model).fingerprint


def test_a_device_that_is_not_there_is_named(tiny_model):
    with pytest.raises(UsageError, match='There is no device "abacus" here'):
        lexel.load(tiny_model, device="abacus")


def test_an_encoder_on_another_runtime_has_no_clip(encoder):
    other = Encoder(
        object(),  # pyright: ignore[reportArgumentType]
        encoder.tokenizer,
        encoder.preprocessing,
        name="other",
        fingerprint="",
    )
    with pytest.raises(UsageError, match="does not run on torch"):
        _ = other.clip


def test_embeddings_that_are_not_finite_are_never_handed_out(encoder, scenes, recwarn):
    overflowing = Encoder(
        Overflowing(encoder), encoder.tokenizer, encoder.preprocessing, name="huge", fingerprint=encoder.fingerprint
    )
    with pytest.raises(ModelError, match=r"huge gives 2 of 2 vectors that are no directions(.|\n)+first for image 1\."):
        overflowing.embed_images(scenes[:2])
    with pytest.raises(ModelError, match=r"huge gives 2 of 2 vectors that are no directions(.|\n)+first for text 1\."):
        overflowing.embed_texts(["a red circle", "a leaf"])
    assert not recwarn.list
