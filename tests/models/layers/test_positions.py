import pytest
import torch

from lexel.models.layers.positions import grid_of, resize_positions, resize_text_positions


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


def test_what_is_left_beyond_whole_patches_may_be_dropped() -> None:
    assert grid_of(torch.zeros(1, 3, 384, 384), 14, drop_remainder=True) == 27


def test_a_longer_context_keeps_the_first_twenty_positions_and_stretches_the_rest() -> None:
    positions = torch.randn(77, 8)
    longer = resize_text_positions(positions, 248)
    assert longer.shape == (248, 8)
    assert torch.equal(longer[:20], positions[:20])
    torch.testing.assert_close(longer[20::4], positions[20:])  # as in Long-CLIP, three new ones behind each
    for share in (1, 2, 3):
        between = positions[20:-1] + share / 4 * (positions[21:] - positions[20:-1])
        torch.testing.assert_close(longer[20 + share :: 4][:-1], between)
    torch.testing.assert_close(longer[-1], positions[-1] + 3 / 4 * (positions[-1] - positions[-2]))


@pytest.mark.parametrize("length", [78, 100, 512])
def test_positions_on_a_line_stay_on_it_at_any_length(length: int) -> None:
    line = torch.arange(77.0)[:, None]
    steps = resize_text_positions(line, length)[20:].diff(dim=0)
    torch.testing.assert_close(steps, torch.full_like(steps, 57 / (length - 20)), rtol=1e-3, atol=1e-4)


def test_a_shorter_context_is_cut() -> None:
    positions = torch.randn(77, 8)
    assert torch.equal(resize_text_positions(positions, 32), positions[:32])


def test_a_short_context_is_stretched_from_its_last_two_positions_at_the_worst() -> None:
    longer = resize_text_positions(torch.arange(3.0)[:, None], 6).flatten()
    torch.testing.assert_close(longer, torch.tensor([0, 1, 1.4, 1.8, 2.2, 2.6]))
    with pytest.raises(ValueError, match="1 positions are too few to be stretched to 4"):
        resize_text_positions(torch.zeros(1, 8), 4)
