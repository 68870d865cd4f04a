"""A painter's decoder as a generator."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_painter import tiny_clip, train_tiny_painter

import lexel
from lexel.errors import UsageError
from lexel.generation.guidance.choose import make_generator
from lexel.generation.guidance.painter_decoder import PainterDecoder
from lexel.generation.pictures.painter import Painter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A painter and, beside it, its CLIP."""
    place = tmp_path_factory.mktemp("painter")
    tiny_clip(place / "clip")
    train_tiny_painter(place / "clip", place / "painter")
    return place


@pytest.fixture(scope="module")
def encoder(folder):
    return lexel.load(folder / "clip")


@pytest.fixture(scope="module")
def painter(folder, encoder):
    return Painter.load(folder / "painter", encoder)


def test_the_first_picture_is_the_painter_s_own_of_the_text(painter):
    generator = PainterDecoder(painter, text="a red circle", seed=3, steps=4, guidance=2.0)
    own = painter.draw(["a red circle"], seed=3, steps=4, guidance=2.0)[0]
    ours = (generator.images()[0].detach().numpy() * 255).round().astype(np.uint8)
    assert np.abs(ours.astype(int) - own).max() <= 1


def test_a_start_comes_back_the_nearer_the_smaller_the_steps(painter):
    smooth = np.fromfunction(lambda c, y, x: 60 + 12 * y + 8 * x + 10 * c, (3, 8, 8)).astype(np.uint8)
    errors = []
    for steps in (12, 96):
        generator = PainterDecoder(painter, start=torch.from_numpy(smooth), steps=steps)
        errors.append(np.abs(generator.images()[0].detach().numpy() * 255 - smooth).mean())
    # The error of Heun's way back and forth falls with the square of the steps: 64 times from 12 to 96, 230 measured.
    assert errors[1] < errors[0] / 20
    assert errors[1] < 3  # grey levels of 255


def test_gradients_reach_vector_and_noise_and_both_keep_their_length(painter):
    generator = PainterDecoder(painter, steps=2)
    values = [latent.values.requires_grad_() for latent in generator.latents()]
    for gradient in torch.autograd.grad(generator.images().square().mean(), values):
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0
    length = float(generator.noise.detach().norm())
    with torch.no_grad():
        for value in values:
            value.mul_(3)
    generator.settle()
    assert float(generator.vector.detach().norm()) == pytest.approx(1, abs=1e-5)
    assert float(generator.noise.detach().norm()) == pytest.approx(length, rel=1e-5)


def test_guidance_raises_the_cosine_of_what_the_painter_draws(folder, encoder):
    made = lexel.guide(encoder, "nothing", generator="painter", painter=folder / "painter", steps=10, views=4)
    (score,) = made.guiding.goals
    assert score.after > score.before
    assert made.picture.size == (8, 8)


def test_mistakes_are_named(folder, encoder):
    with pytest.raises(UsageError, match="--with painter needs --painter FOLDER"):
        make_generator("painter", encoder)
    with pytest.raises(UsageError, match="the other way round"):
        make_generator("strokes", encoder, painter=folder / "painter")
    with pytest.raises(UsageError, match="pictures of 8 pixels, not 64"):
        make_generator("painter", encoder, painter=folder / "painter", size=64)
    with pytest.raises(UsageError, match="No painter at"):
        make_generator("painter", encoder, painter=folder / "none")


def test_another_model_may_steer_a_painter(folder, tmp_path):
    other = lexel.load(tiny_clip(tmp_path / "siglip", "siglip"))
    start = Image.new("RGB", (8, 8), "red")
    made = lexel.guide(other, "nothing", generator="painter", painter=folder / "painter", start=start, steps=2, views=2)
    assert made.steps == 2
