import pytest
import torch
from pydantic import ValidationError

pytest.importorskip("diffusers")

from lexel.generation.pictures.decoder import Decoder, DecoderSettings, as_pictures, as_points

SMALL = DecoderSettings(size=8, channels=(32,), attention=1)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(SMALL, 6).eval()


def test_pictures_have_the_size_that_was_chosen_and_values_in_range(decoder):
    found = decoder.sample(torch.randn(2, 6), torch.randn(2, 3, 8, 8), steps=2, guidance=2.0)
    assert found.shape == (2, 3, 8, 8)
    assert found.min() >= 0
    assert found.max() <= 1


def test_a_vector_that_is_left_out_changes_nothing(decoder):
    points, times, vectors = torch.randn(2, 3, 8, 8), torch.rand(2), torch.randn(2, 2, 6)
    kept = torch.tensor([True, False])
    one, other = (decoder(points, times, given, kept) for given in vectors)
    assert not torch.allclose(one[0], other[0])
    torch.testing.assert_close(one[1], other[1], atol=1e-5, rtol=1e-5)


def test_guidance_is_what_two_passes_say(decoder):
    points, times, vectors = torch.randn(2, 3, 8, 8), torch.rand(2), torch.randn(2, 6)
    nobody = torch.zeros(2, dtype=torch.bool)
    shown, hidden = decoder(points, times, vectors), decoder(points, times, vectors, nobody)
    torch.testing.assert_close(
        decoder.velocity(points, times, vectors, 3.0), hidden + 3 * (shown - hidden), atol=1e-4, rtol=1e-4
    )


def test_the_velocity_leads_to_the_clean_picture_that_the_network_names(decoder):
    points, vectors = torch.randn(2, 3, 8, 8), torch.randn(2, 6)
    for time in (0.0, 0.5, 0.9):
        times = torch.full((2,), time)
        folded = torch.nn.functional.pixel_unshuffle(points, SMALL.fold)
        told = decoder.vector(decoder.vectors(vectors))
        named = torch.nn.functional.pixel_shuffle(
            decoder.unet(folded, 1000 * times, class_labels=told).sample, SMALL.fold
        )
        arrived = points + (1 - time) * decoder(points, times, vectors)
        torch.testing.assert_close(arrived, named, atol=1e-4, rtol=1e-4)


def test_pictures_can_be_steered_through_the_vector(decoder):
    vectors = torch.randn(1, 6, requires_grad=True)
    decoder.sample(vectors, torch.randn(1, 3, 8, 8), steps=2, guidance=1.0, solver="euler").mean().backward()
    assert vectors.grad is not None
    assert vectors.grad.abs().sum() > 0


def test_the_noise_of_a_picture_makes_the_picture_again(decoder):
    pixels, vectors = torch.rand(1, 3, 8, 8) * 2 - 1, torch.randn(1, 6)
    noise = decoder.noise_of(pixels, vectors, steps=120)
    with torch.no_grad():
        again = decoder.sample(vectors, noise, steps=120, guidance=1.0)
    torch.testing.assert_close(again, pixels / 2 + 0.5, atol=0.01, rtol=0)


def test_grey_levels_survive_the_way_to_points_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert as_points(levels).aminmax() == (-1, 1)
    torch.testing.assert_close(as_pictures(as_points(levels) / 2 + 0.5), levels)


@pytest.mark.parametrize(
    ("given", "said"), [({"size": 30}, "multiple of 8"), ({"channels": (64, 40)}, "multiples of 32, not 40")]
)
def test_sizes_that_do_not_fit_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        DecoderSettings.model_validate(given)
