import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

import lexel
from lexel.data.pairs import ImageFile
from lexel.data.scenes import read_scenes
from lexel.encoder import IMAGE_BATCH, TEXT_BATCH, Encoder
from lexel.errors import BadImageError, UsageError
from lexel.tokenizer import pad


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
    short = pad(rows)
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


def test_nothing_gives_empty_arrays_of_the_right_shape(encoder):
    vectors, kept, bad = encoder.embed_readable([])
    assert (vectors.shape, kept.shape, bad) == ((0, encoder.dimensions), (0,), [])
    assert encoder.embed_images([]).shape == encoder.embed_texts([]).shape == (0, encoder.dimensions)
    assert encoder.probabilities([], CAPTIONS).shape == (0, len(CAPTIONS))
    assert encoder.tokenize([]).shape == (0, 0)


@pytest.mark.parametrize("bad", [0, IMAGE_BATCH - 1, IMAGE_BATCH])
def test_images_beyond_one_batch_keep_their_order(encoder, scenes, bad):
    many = [scenes[number % len(scenes)] for number in range(2 * IMAGE_BATCH + 1 + IMAGE_BATCH)]
    few = encoder.embed_images(scenes)
    vectors, kept, failed = encoder.embed_readable([*many[:bad], b"", *many[bad + 1 :]], what=None)
    assert [index for index, _ in failed] == [bad]
    assert kept.tolist() == [index for index in range(len(many)) if index != bad]
    np.testing.assert_allclose(vectors, few[kept % len(scenes)], atol=1e-5)


def test_texts_beyond_one_batch_come_back_in_their_order(encoder):
    words = ["red", "blue", "a big green star", "circle", "two small hearts"]
    texts = [" ".join(words[: 1 + number % 5]) for number in range(TEXT_BATCH + 3)]
    np.testing.assert_allclose(
        encoder.embed_texts(texts), np.concatenate([encoder.embed_texts([text]) for text in texts]), atol=1e-5
    )


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
