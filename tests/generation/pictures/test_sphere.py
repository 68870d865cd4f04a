import numpy as np
import pytest

from lexel.generation.pictures.sphere import shares, slerp
from lexel.unit_vectors import unit


@pytest.fixture
def ends():
    start, end = unit(np.random.default_rng(0).normal(size=(2, 8)))
    return start, end


def test_the_ways_begin_and_end_at_the_two_vectors(ends):
    np.testing.assert_allclose(slerp(*ends, 0), ends[0], atol=1e-6)
    np.testing.assert_allclose(slerp(*ends, 1), ends[1], atol=1e-6)


def test_equal_steps_turn_by_equal_angles_on_the_sphere(ends):
    way = np.stack([slerp(*ends, share) for share in shares(7)]).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1, atol=1e-6)
    turns = np.arccos(np.clip((way[1:] * way[:-1]).sum(1), -1, 1))
    whole = np.arccos(ends[0].astype(np.float64) @ ends[1])
    np.testing.assert_allclose(turns, whole / 6, atol=1e-5)


def test_lengths_go_over_into_each_other(ends):
    middle = slerp(2 * ends[0], 4 * ends[1], 0.5)
    assert np.linalg.norm(middle) == pytest.approx(3, rel=1e-5)


def test_equal_and_opposite_vectors_have_a_way_too(ends):
    np.testing.assert_allclose(slerp(ends[0], ends[0], 0.3), ends[0], atol=1e-6)
    assert np.isfinite(slerp(ends[0], -ends[0], 0.5)).all()


def test_a_single_step_is_the_end():
    assert shares(1) == [1.0]
    assert shares(3) == [0.0, 0.5, 1.0]
