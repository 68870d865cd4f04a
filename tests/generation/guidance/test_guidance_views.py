import numpy as np
import torch
from PIL import Image

from lexel.generation.guidance.views import CORNERS, draw_homographies, homographies, normalised, views_of
from lexel.images import Preprocessing, normalize


def smooth(size: int) -> torch.Tensor:
    """A picture (1, 3, size, size) without sharp edges, which any resampling shows alike."""
    y, x = np.mgrid[:size, :size] / size
    return torch.from_numpy(np.stack([np.sin(3 * x + y), np.cos(4 * y), np.sin(5 * x * y)])[None] * 0.4 + 0.5).float()


def test_corners_go_where_they_were_sent():
    seen = torch.tensor(CORNERS, dtype=torch.float64)[None] * 0.7 + 0.1 * torch.rand(5, 4, 2, dtype=torch.float64)
    maps = homographies(seen)
    corners = torch.tensor([(*corner, 1.0) for corner in CORNERS], dtype=torch.float64)
    places = corners @ maps.transpose(1, 2)
    np.testing.assert_allclose((places[..., :2] / places[..., 2:]).numpy(), seen.numpy(), atol=1e-12)


def test_the_first_view_is_the_whole_picture():
    maps = draw_homographies(3, 0.7, 0.2, torch.Generator().manual_seed(0))
    picture = torch.rand(2, 3, 16, 16)
    views = views_of(picture, maps, 16)
    assert views.shape == (6, 3, 16, 16)
    np.testing.assert_allclose(views[[0, 3]].numpy(), picture.numpy(), atol=1e-4)


def test_views_are_those_that_pillow_sees_in_perspective():
    size = 64
    picture = smooth(size)
    maps = draw_homographies(4, 0.7, 0.2, torch.Generator().manual_seed(1))
    views = views_of(picture, maps, size)
    large = Image.fromarray((picture[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))
    to_unit = np.array([[2 / size, 0, -1], [0, 2 / size, -1], [0, 0, 1]])
    for number in range(1, 4):
        matrix = np.linalg.inv(to_unit) @ maps[number].numpy() @ to_unit
        coefficients = (matrix / matrix[2, 2]).ravel()[:8].tolist()
        seen = large.transform((size, size), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
        expected = np.asarray(seen, np.float32) / 255
        inside = expected.min(axis=2) > 0  # Pillow leaves what lies outside black
        ours = views[number].permute(1, 2, 0).numpy()
        assert inside.mean() > 0.8
        assert np.abs(ours - expected)[inside].max() < 0.03


def test_larger_pictures_are_averaged_and_smaller_ones_enlarged():
    chequered = torch.from_numpy(np.indices((64, 64)).sum(0) % 2).float().expand(1, 3, 64, 64)
    whole = torch.eye(3, dtype=torch.float64)[None]
    np.testing.assert_allclose(views_of(chequered, whole, 16).numpy(), 0.5, atol=0.02)
    assert views_of(torch.rand(1, 3, 8, 8), whole, 16).shape == (1, 3, 16, 16)


def test_views_have_the_gradients_of_finite_differences():
    maps = draw_homographies(2, 0.7, 0.2, torch.Generator().manual_seed(2))
    picture = torch.rand(1, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda images: views_of(images, maps, 4), (picture,))


def test_colours_are_normalised_as_by_the_encoder():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4), np.uint8)
    ours = normalised(torch.from_numpy(pixels[None] / np.float32(255)), Preprocessing())[0].numpy()
    np.testing.assert_allclose(ours, normalize(pixels, Preprocessing()), atol=1e-5)
