import numpy as np
import torch

from lexel.generation.guidance.pixels import COLOUR_AXES, FourierPixels, frequency_scale


def test_a_start_is_given_back_as_it_is():
    start = torch.rand(2, 3, 17, 17) * 0.9 + 0.05
    np.testing.assert_allclose(FourierPixels(17, start=start).images().numpy(), start.numpy(), atol=1e-4)
    start = torch.rand(1, 3, 32, 32) * 0.9 + 0.05
    np.testing.assert_allclose(FourierPixels(32, start=start).images().numpy(), start.numpy(), atol=1e-4)
    assert torch.isfinite(FourierPixels(8, start=torch.zeros(1, 3, 8, 8)).images()).all()


def test_the_transform_is_numpy_s():
    pixels = FourierPixels(12, seed=3)
    spectrum = pixels.spectrum.numpy().astype(np.float64)
    waves = (spectrum[..., 0] + 1j * spectrum[..., 1]) * frequency_scale(12).numpy()
    axes = np.fft.irfft2(waves, s=(12, 12), norm="ortho")
    log_odds = np.einsum("ca,bahw->bchw", np.array(COLOUR_AXES), axes)
    np.testing.assert_allclose(pixels.images().numpy(), 1 / (1 + np.exp(-log_odds)), atol=1e-5)


def test_a_random_start_is_nearly_grey_and_seeded():
    first, second, third = (FourierPixels(16, seed=seed).images() for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert (first - 0.5).abs().max() < 0.2


def test_low_frequencies_move_further_than_high_ones():
    scale = frequency_scale(16)
    assert scale.shape == (16, 9)
    assert scale[0, 0] == scale.max()
    assert scale[8, 8] == scale.min()
