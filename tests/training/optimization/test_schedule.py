import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexel.training.optimization.schedule import Schedule


@given(steps=st.integers(1, 2000), warmup=st.floats(0, 1), final=st.floats(0, 1))
def test_factors_stay_in_0_to_1_and_rise_then_fall(steps, warmup, final):
    schedule = Schedule(warmup=warmup, final=final)
    factors = [schedule.factor(step, steps) for step in range(steps)]
    assert all(0 <= factor <= 1 for factor in factors)
    top = factors.index(max(factors))
    assert factors[:top] == sorted(factors[:top])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_warm_up_reaches_the_full_rate_and_the_cosine_ends_near_the_final_one():
    schedule = Schedule(warmup=0.1, final=0.02)
    assert [schedule.factor(step, 100) for step in (0, 9, 10)] == pytest.approx([0.1, 1.0, 1.0])
    assert schedule.factor(55, 100) == pytest.approx(0.51)
    assert schedule.factor(99, 100) == pytest.approx(0.02, abs=1e-3)
