import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from lexel.generation.guidance.strokes import Strokes

NAMESPACE = "{http://www.w3.org/2000/svg}"


def test_the_same_seed_draws_the_same_strokes_and_another_one_others():
    first, second, third = (Strokes(8, 32, seed=seed).images() for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert first.shape == (1, 3, 32, 32)
    assert first.min() >= 0
    assert first.max() <= 1


def test_a_larger_drawing_is_the_same_drawing():
    strokes = Strokes(8, 32)
    large = torch.nn.functional.avg_pool2d(strokes.render(128), 4)
    assert (large - strokes.images()).abs().mean() < 0.01


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_svg_holds_every_stroke_and_draws_alike(degree):
    """The paths as an SVG reader understands them, drawn by Pillow, against the rasterizer."""
    strokes = Strokes(6, 48, degree=degree, seed=4)
    root = ElementTree.fromstring(strokes.to_svg("a <b> & c"))
    assert root.findtext(f"{NAMESPACE}title") == "a <b> & c"
    paths = list(root.iter(f"{NAMESPACE}path"))
    assert len(paths) == 6
    fine = 8
    canvas = np.ones((48 * fine, 48 * fine, 3))
    for path in paths:
        mask = Image.new("L", (48 * fine, 48 * fine))
        pen, width = ImageDraw.Draw(mask), float(path.get("stroke-width")) * fine
        for x, y in followed(path.get("d"), degree) * fine:
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
        share = np.asarray(mask)[..., None] / 255 * float(path.get("stroke-opacity"))
        colour = np.array([int(path.get("stroke")[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        canvas = canvas * (1 - share) + share * colour
    expected = canvas.reshape(48, fine, 48, fine, 3).mean(axis=(1, 3))
    ours = strokes.images()[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - expected).mean() < 0.012


def followed(path: str, degree: int) -> np.ndarray:
    """Points close to each other on a path of M, L, Q and C commands."""
    assert set(re.findall("[A-Z]", path)) == {"M", {1: "L", 2: "Q", 3: "C"}[degree]}
    points = np.array([float(number) for number in re.findall(r"-?\d+\.\d+", path)]).reshape(-1, 2)
    along = np.linspace(0, 1, 150)[:, None]
    found = []
    for start in range(0, len(points) - 1, degree):
        left = [points[start + k][None] for k in range(degree + 1)]
        while len(left) > 1:
            left = [a * (1 - along) + b * along for a, b in itertools.pairwise(left)]
        found.append(left[0])
    return np.concatenate(found)


def test_what_went_beyond_its_bounds_is_put_back():
    strokes = Strokes(4, 32)
    for latent in strokes.latents():
        latent.values.add_(100)
    strokes.settle()
    assert strokes.colours.max() == 1
    assert strokes.opacities.max() == 1
    assert strokes.points.max() < 1.2
    assert torch.isfinite(strokes.images()).all()


def test_strokes_take_the_colours_of_a_picture():
    strokes = Strokes(16, 32, seed=5)
    strokes.points.clamp_(0.1, 0.9)
    picture = torch.zeros(3, 8, 8)
    picture[0, :, :4], picture[2, :, 4:] = 1, 1  # red on the left, blue on the right
    strokes.take_colours(picture)
    left = strokes.points.mean(1)[:, 0] < 0.4
    assert (strokes.colours[left] == torch.tensor([1.0, 0, 0])).all()
    assert left.any()
