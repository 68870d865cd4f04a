import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lexel.generation.heat_maps.geometry import lay_over, seen_area
from lexel.images import Preprocessing, fit

SIDES = st.integers(20, 90)
RESIZES = st.sampled_from(("shortest", "squash", "pad"))


def ramp(width: int, height: int) -> Image.Image:
    """A picture whose red is the column and whose green is the row, two levels a pixel."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([2 * x, 2 * y, 0 * x], axis=-1).astype(np.uint8))


@settings(max_examples=40, deadline=None)
@given(width=SIDES, height=SIDES, resize=RESIZES)
def test_the_area_is_what_the_tower_sees(width, height, resize):
    preprocessing = Preprocessing(image_size=32, resize=resize, interpolation="bilinear")
    area = seen_area(width, height, preprocessing)
    red, green = fit(ramp(width, height), preprocessing)[:2].astype(float) / 2
    centres = (np.arange(32) + 0.5) / 32
    columns, rows = area.left + centres * area.width - 0.5, area.top + centres * area.height - 0.5
    # Away from the edges, where the filter mixes in what is not there; a crop is rounded to whole resized pixels.
    inside_x = (columns > 5) & (columns < width - 6)
    inside_y = (rows > 5) & (rows < height - 6)
    tolerance = 1 + max(area.width, area.height) / 32
    assert np.all(np.abs(red[np.ix_(inside_y, inside_x)] - columns[inside_x]) <= tolerance)
    assert np.all(np.abs(green[np.ix_(inside_y, inside_x)] - rows[inside_y][:, None]) <= tolerance)


@settings(max_examples=60, deadline=None)
@given(width=SIDES, height=SIDES, resize=RESIZES, cells=st.integers(1, 9), seed=st.integers(0, 99))
def test_a_map_lies_where_its_cells_are_and_is_zero_where_nothing_is_seen(width, height, resize, cells, seed):
    area = seen_area(width, height, Preprocessing(image_size=32, resize=resize))
    heat = np.random.default_rng(seed).random((cells, cells)) + 1
    laid = lay_over(heat, area, width, height)
    assert laid.shape == (height, width)
    assert laid.dtype == np.float32
    y, x = np.mgrid[:height, :width] + 0.5
    seen = (x > area.left + 1) & (x < area.left + area.width - 1) & (y > area.top + 1) & (y < area.top + area.height - 1)
    outside = (x < area.left - 1) | (x > area.left + area.width + 1) | (y < area.top - 1) | (y > area.top + area.height + 1)
    assert np.all(laid[seen] >= 1)
    assert np.all(laid[outside] == 0)
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    middle = int(area.top + (row + 0.5) / cells * area.height), int(area.left + (column + 0.5) / cells * area.width)
    if seen[min(middle[0], height - 1), min(middle[1], width - 1)] and cells < 5:
        assert laid[middle] >= 0.9 * laid.max()


def test_a_sliver_has_a_map_too():
    area = seen_area(500, 1, Preprocessing(image_size=32, resize="shortest"))
    assert lay_over(np.ones((4, 4)), area, 500, 1).sum() >= 1
