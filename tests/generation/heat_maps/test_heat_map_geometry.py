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
@given(width=SIDES, height=SIDES, resize=RESIZES, cells=st.integers(3, 9))
def test_a_map_lies_where_its_cells_are_and_is_zero_where_nothing_is_seen(width, height, resize, cells):
    area = seen_area(width, height, Preprocessing(image_size=32, resize=resize))
    columns = np.tile(np.arange(cells) + 1.0, (cells, 1))
    laid = lay_over(columns, area, width, height), lay_over(columns.T, area, width, height)
    y, x = np.mgrid[:height, :width] + 0.5
    across, down = (x - area.left) / area.width, (y - area.top) / area.height  # 0..1 within the area
    near = 1 / min(area.width, area.height)  # a pixel
    outside = (across < -near) | (across > 1 + near) | (down < -near) | (down > 1 + near)
    edge = 1 / cells + near
    for found, place in zip(laid, (across, down), strict=True):
        assert found.shape == (height, width)
        assert found.dtype == np.float32
        assert np.all(found[outside] == 0)
        inner = (place > edge) & (place < 1 - edge) & ~outside
        inner &= (across > near) & (across < 1 - near) & (down > near) & (down < 1 - near)
        # Half a pixel, since the area begins between two pixels and the map at one.
        np.testing.assert_allclose(found[inner], (place * cells + 0.5)[inner], atol=0.6 * near * cells)


def test_a_sliver_has_a_map_too():
    area = seen_area(500, 1, Preprocessing(image_size=32, resize="shortest"))
    assert lay_over(np.ones((4, 4)), area, 500, 1).sum() >= 1
