import pytest
import torch

from lexel.models.positions import grid_of, resize_positions


def test_the_same_grid_keeps_the_very_same_positions() -> None:
    positions = torch.randn(17, 8)
    assert resize_positions(positions, 4, 4) is positions


@pytest.mark.parametrize("leading", [0, 1])
@pytest.mark.parametrize("grid", [2, 3, 9])
def test_another_grid_keeps_what_stands_before_the_patches(leading: int, grid: int) -> None:
    positions = torch.randn(leading + 16, 8)
    resized = resize_positions(positions, 4, grid)
    assert resized.shape == (leading + grid**2, 8)
    assert torch.equal(resized[:leading], positions[:leading])


def test_rows_stay_rows_and_columns_stay_columns() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    positions = torch.stack([rows.flatten(), columns.flatten()], dim=1)
    resized = resize_positions(positions, 6, 12).unflatten(0, (12, 12))
    inside = slice(4, 8)
    expected = (torch.arange(12.0)[inside] + 0.5) / 2 - 0.5
    torch.testing.assert_close(resized[inside, 0, 0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(resized[0, inside, 1], expected, atol=1e-5, rtol=0)


def test_constant_positions_stay_constant() -> None:
    torch.testing.assert_close(resize_positions(torch.ones(49, 3), 7, 5), torch.ones(25, 3))


def test_half_precision_positions_stay_half_precision() -> None:
    assert resize_positions(torch.randn(17, 8).bfloat16(), 4, 6).dtype == torch.bfloat16


def test_positions_that_cannot_fill_their_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="too few for a grid of 4×4"):
        resize_positions(torch.randn(9, 8), 4, 6)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 32, 48), (1, 3, 30, 30)])
def test_pixels_of_another_shape_are_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiple of 16.*shape is"):
        grid_of(torch.zeros(shape), 16)
