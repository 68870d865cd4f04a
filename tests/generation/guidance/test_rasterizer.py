"""The rasterizer against brute force, Pillow and finite differences."""

import itertools

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from lexel.generation.guidance.curves import bernstein, control_points, sample_curves
from lexel.generation.guidance.rasterizer import coverage, distance_to, nearest_segments, pixel_centres, rasterize

SIZE = 24


def some_lines(count: int = 5, points: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, points, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * SIZE


def distances_by_brute_force(line: np.ndarray, places: np.ndarray) -> np.ndarray:
    """From each place (P, 2) to the nearest of 3,000 points on each segment of a line."""
    along = np.linspace(0, 1, 3000)[:, None]
    points = np.concatenate([a + along * (b - a) for a, b in itertools.pairwise(line)])
    return cKDTree(points).query(places)[0]


def test_distances_are_those_of_brute_force_and_the_nearest_segment_is_found():
    lines = some_lines()
    centres = pixel_centres(SIZE, lines)
    reach = torch.full((len(lines),), 100.0, dtype=torch.float64)
    stroke, segment, pixel = nearest_segments(lines, reach, SIZE)
    assert len(stroke) == len(lines) * SIZE**2  # every pixel is within reach of every stroke, once
    found = distance_to(lines[stroke, segment], lines[stroke, segment + 1], centres[pixel])
    for number, line in enumerate(lines.numpy()):
        ours = found[stroke == number][pixel[stroke == number].argsort()].numpy()
        np.testing.assert_allclose(ours, distances_by_brute_force(line, centres.numpy()), atol=0.01)


def test_pixels_out_of_reach_take_no_part():
    lines = some_lines()
    reach = torch.tensor([0.5, 1.0, 2.0, 4.0, 0.0], dtype=torch.float64)
    stroke, _segment, pixel = nearest_segments(lines, reach, SIZE)
    centres = pixel_centres(SIZE, lines)
    for number, line in enumerate(lines.numpy()):
        near = distances_by_brute_force(line, centres.numpy())
        ours = set(pixel[stroke == number].tolist())
        assert ours >= set(np.flatnonzero(near < float(reach[number]) - 0.02).tolist())
        assert ours <= set(np.flatnonzero(near <= float(reach[number]) + 1e-9).tolist())


@pytest.mark.parametrize("half_width", [0.2, 0.8, 3.0])
def test_coverage_is_the_share_of_a_supersampled_pixel_within_the_stroke(half_width):
    lines, fine = some_lines(3), 5
    small = pixel_centres(SIZE * fine, lines).numpy() / fine
    ours = coverage(lines, torch.full((3,), half_width, dtype=torch.float64), SIZE).view(3, SIZE, SIZE).numpy()
    for line, share in zip(lines.numpy(), ours, strict=True):
        inside = distances_by_brute_force(line, small).reshape(SIZE * fine, -1) <= half_width
        expected = inside.reshape(SIZE, fine, SIZE, fine).mean(axis=(1, 3))
        # A Gaussian is no box: it sees a little of the neighbours, most at the ends of thin lines; on average nothing.
        assert np.abs(share - expected).max() < 0.35
        assert np.abs(share - expected).mean() < 0.015
        assert share.sum() == pytest.approx(expected.sum(), rel=0.05)


def test_a_drawing_is_that_of_pillow():
    lines = some_lines(4, 3)
    widths, colours = [2.0, 4.0, 3.0, 5.0], [(200, 30, 30), (20, 160, 40), (40, 40, 220), (240, 200, 20)]
    drawn = rasterize(
        lines,
        torch.tensor(widths, dtype=torch.float64) / 2,
        torch.tensor(colours, dtype=torch.float64) / 255,
        torch.ones(4, dtype=torch.float64),
        SIZE,
        torch.ones(3, dtype=torch.float64),
    )
    fine = 16
    large = Image.new("RGB", (SIZE * fine, SIZE * fine), "white")
    pen = ImageDraw.Draw(large)
    for line, width, colour in zip(lines.numpy() * fine, widths, colours, strict=True):
        pen.line([tuple(point) for point in line], fill=colour, width=round(width * fine))
        for x, y in line:  # round caps and joins
            r = width * fine / 2
            pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    expected = np.asarray(large.resize((SIZE, SIZE), Image.Resampling.BOX)) / 255
    difference = np.abs(drawn.permute(1, 2, 0).numpy() - expected)
    assert difference.mean() < 0.01
    assert difference.max() < 0.25  # where three edges meet in one pixel


def test_a_stroke_that_crosses_itself_does_not_cover_twice():
    cross = torch.tensor([[[4.0, 4.0], [20.0, 20.0], [20.0, 4.0], [4.0, 20.0]]], dtype=torch.float64)
    half = torch.tensor([2.0], dtype=torch.float64)
    black, white = torch.zeros(1, 3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    drawn = rasterize(cross, half, black, torch.tensor([0.5], dtype=torch.float64), SIZE, white)
    assert float(drawn.min()) == pytest.approx(0.5, abs=1e-6)


def test_the_last_stroke_lies_on_top_and_opacity_mixes():
    bar = torch.tensor([[[0.0, 12.0], [24.0, 12.0]]] * 2, dtype=torch.float64)
    colours = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    half, white = torch.full((2,), 4.0, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    drawn = rasterize(bar, half, colours, torch.tensor([1.0, 0.25], dtype=torch.float64), SIZE, white)
    np.testing.assert_allclose(drawn[:, 12, 12].numpy(), [0.75, 0, 0.25], atol=1e-6)
    np.testing.assert_allclose(drawn[:, 1, 1].numpy(), [1, 1, 1], atol=1e-6)


def test_gradients_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(3)
    points = (torch.rand(2, 4, 2, generator=generator, dtype=torch.float64) * 10).requires_grad_()
    half = torch.tensor([1.0, 1.6], dtype=torch.float64, requires_grad=True)
    colours = torch.rand(2, 3, generator=generator, dtype=torch.float64).requires_grad_()
    opacities = torch.tensor([0.9, 0.6], dtype=torch.float64, requires_grad=True)

    def draw(points, half, colours, opacities):
        lines = sample_curves(points, 3, 4)
        return rasterize(lines, half, colours, opacities, 10, torch.ones(3, dtype=torch.float64))

    # Coverage ends REACH standard deviations from an edge by a step below 3e-7, which a difference of 1e-4 turns into
    # at most 3e-3 / 1e-4 · weight; none lies on it here.
    assert torch.autograd.gradcheck(draw, (points, half, colours, opacities), eps=1e-5, atol=1e-3)


def test_a_stroke_of_no_length_is_a_dot_with_gradients():
    point = torch.full((1, 4, 2), 12.5, dtype=torch.float64, requires_grad=True)
    lines = sample_curves(point, 3, 4)
    share = coverage(lines, torch.tensor([3.0], dtype=torch.float64), SIZE)
    assert float(share.detach().sum()) == pytest.approx(np.pi * 9, rel=0.02)
    (gradient,) = torch.autograd.grad(share[0, 12 * SIZE + 15], point)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_curves_are_de_casteljau_s(degree):
    points = torch.rand(3, control_points(2, degree), 2, dtype=torch.float64)
    sampled = sample_curves(points, degree, 5)
    assert sampled.shape == (3, 11, 2)
    for piece in range(2):
        for step in range(6):
            left = points[:, piece * degree : piece * degree + degree + 1].numpy()
            while left.shape[1] > 1:
                left = left[:, :-1] * (1 - step / 5) + left[:, 1:] * (step / 5)
            np.testing.assert_allclose(sampled[:, piece * 5 + step].numpy(), left[:, 0], atol=1e-12)
    np.testing.assert_allclose(bernstein(degree, torch.rand(4)).sum(1).numpy(), 1, atol=1e-6)
