"""Everything that callers call an image or a text: taken where its meaning is clear, else refused with its place."""

import io
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from processes import fork_server

import lexel
from lexel.encoder import Encoder
from lexel.errors import BadImageError, ModelError, UsageError


@pytest.fixture(scope="module")
def encoder(tiny_model) -> Encoder:
    return lexel.load(tiny_model)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def as_file(pixels: np.ndarray) -> io.BytesIO:
    """A file in memory that stands at its end, as after writing."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file


def test_files_arrays_and_tensors_of_one_picture_have_one_embedding(encoder, pixels, tmp_path):
    (tmp_path / "a.png").write_bytes(as_file(pixels).getvalue())
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    opaque = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    with (tmp_path / "a.png").open("rb") as opened:
        forms = [
            *(pixels, as_file(pixels), opened, opened, tensor, tensor.permute(1, 2, 0), tensor / 255),
            *(opaque, pixels.transpose(2, 0, 1), pixels.astype(np.float32) / 255, pixels / 255),
        ]
        vectors = encoder.embed_images(forms)
    np.testing.assert_allclose(vectors, np.repeat(vectors[:1], len(forms), axis=0), atol=1e-6)


def test_transparency_of_an_array_is_laid_over_white(encoder, pixels):
    clear = np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)])
    np.testing.assert_array_equal(encoder.preprocess(clear), encoder.preprocess(np.full_like(pixels, 255)))


def test_tensors_in_half_precision_with_gradients_are_taken(encoder, pixels):
    tensor = (torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255).requires_grad_()
    expected = encoder.preprocess(pixels)
    np.testing.assert_array_equal(encoder.preprocess(tensor), expected)
    # bfloat16 has 8 bits of precision: a grey level is rounded by at most one half of 1/256 of its size.
    assert encoder.preprocess(tensor.bfloat16()).shape == expected.shape


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, r"Image 2 is None \(NoneType\)\. An image is a path"),
        (3, r"Image 2 is 3 \(int\)"),
        ({"a": 1}, r"Image 2 is \{'a': 1\} \(dict\)"),
        (np.zeros((4, 4), bool), r"Image 2: an image array must be uint8.*Convert it: array\.astype\('uint8'\) \* 255"),
        (np.full((4, 4, 3), 200.0), r"Image 2: .*float64 must hold 0\.\.1.*array\.round\(\)\.astype\('uint8'\)"),
        (np.full((4, 4, 3), -1.0), r"Image 2: .*It looks normalised"),
        (np.full((4, 4, 3), np.nan), r"Image 2: .*must hold 0\.\.1"),
        (np.zeros((5, 6, 7), np.uint8), r"Image 2: .*this one is uint8 \(5, 6, 7\)"),
        (torch.zeros(3, 8, 3), r"Image 2: an image tensor of shape \(3, 8, 3\) may have its channels first or last"),
        (io.StringIO("x"), r"Image 2: the file is open as text"),
    ],
)
def test_a_wrong_image_is_refused_with_its_position_and_what_to_do(encoder, pixels, wrong, message):
    with pytest.raises(UsageError, match=message):
        encoder.embed_images([pixels, wrong])


def test_a_closed_file_is_an_image_that_cannot_be_read(encoder, pixels):
    closed = as_file(pixels)
    closed.close()
    with pytest.raises(BadImageError, match="Image 2 cannot be read: the open file cannot be read"):
        encoder.embed_images([pixels, closed])


@pytest.mark.parametrize("wrong", [None, 3, float("nan"), b"bytes", ["a"]])
@pytest.mark.parametrize("verb", ["embed_texts", "tokenize", "count_truncated"])
def test_a_wrong_text_is_refused_with_its_position_and_type(encoder, verb, wrong):
    with pytest.raises(UsageError, match=rf"Text 2 is .* \({type(wrong).__name__}\)\. A text is a str"):
        getattr(encoder, verb)(["a", wrong])


def test_what_is_no_list_is_refused(encoder, pixels):
    for single in (3, None, io.BytesIO(), torch.zeros(3, 4, 4)):
        with pytest.raises(UsageError, match="Give a list"):
            encoder.embed_images(single)


def test_an_encoder_says_what_it_is(encoder):
    assert repr(encoder) == f"<Encoder tiny: TorchRuntime, float32, {encoder.dimensions} dimensions>"


def _embed(encoder: Encoder) -> np.ndarray:
    return encoder.embed_texts(["a red circle"])


def test_an_encoder_goes_to_a_worker_process(encoder):
    with ProcessPoolExecutor(1, mp_context=fork_server()) as workers:
        there = workers.submit(_embed, encoder).result()
    np.testing.assert_allclose(there, _embed(encoder), atol=1e-6)


def test_an_exact_encoder_stays_exact(tiny_model):
    assert pickle.loads(pickle.dumps(lexel.load(tiny_model, exact=True))).exact


def test_an_encoder_that_was_not_loaded_from_somewhere_is_not_sent(encoder):
    other = Encoder(encoder.runtime, encoder.tokenizer, encoder.preprocessing, name="made up", fingerprint="")
    with pytest.raises(UsageError, match="made up cannot be sent to another process"):
        pickle.dumps(other)


def test_a_model_that_has_changed_meanwhile_is_refused(tiny_model):
    encoder = lexel.load(tiny_model)
    encoder.fingerprint = "another"
    with pytest.raises(ModelError, match="has changed since"):
        pickle.loads(pickle.dumps(encoder))


def test_arrays_are_taken_without_torch():
    code = (
        "import sys, numpy, lexel.encoder_inputs as inputs; inputs.check_images([numpy.zeros((2, 2, 3))]);"
        "print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
