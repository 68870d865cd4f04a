import math

import pytest
import torch

from lexel.generation.pictures.flow import flow_loss, follow, guided, on_the_line, times_between

SPREAD, MIDDLE = 0.5, torch.tensor([2.0, -1.0], dtype=torch.float64)


def to_gaussian(points: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
    """The exact velocity towards data from N(MIDDLE, SPREAD²): E[data − noise | point], by the rule for Gaussians."""
    t = times[:, None].double()
    variance = (1 - t) ** 2 + (t * SPREAD) ** 2
    off = points - t * MIDDLE
    return MIDDLE + (t * SPREAD**2 - (1 - t)) / variance * off


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_straight_lines_are_followed_exactly_in_a_single_step(solver):
    noise, data = torch.randn(4, 3), torch.randn(4, 3)
    torch.testing.assert_close(follow(lambda at, time: data - noise, noise, 1, solver), data)


def test_euler_takes_the_steps_of_diffusers_flow_matching_scheduler():
    pytest.importorskip("diffusers")
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    weights = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)) / 3
    start = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))

    def velocity(at, time):
        return torch.tanh(at @ weights) + time[:, None]

    peer, steps = FlowMatchEulerDiscreteScheduler(shift=1.0), 6
    peer.set_timesteps(sigmas=[1 - step / steps for step in range(steps)])
    here = start
    for step, sigma in enumerate(peer.sigmas[:-1]):  # sigma is 1 − time, and the peer's velocity points to the noise
        here = peer.step(-velocity(here, (1 - sigma).expand(5)), peer.timesteps[step], here).prev_sample
    torch.testing.assert_close(follow(velocity, start, steps), here, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_errors_fall_with_the_order_of_the_solver(solver, order):
    start = torch.ones(1, 1, dtype=torch.float64)  # x' = x·cos t has the solution exp(sin t)
    errors = [
        abs(follow(lambda at, time: at * time[:, None].cos(), start, steps, solver).item() - math.exp(math.sin(1)))
        for steps in (16, 32)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_noise_becomes_the_distribution_whose_velocities_are_followed(solver):
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    data = follow(to_gaussian, noise, 64, solver)
    # 4,000 samples: 4 standard errors of the mean are 0.03, of the deviation 0.02; Euler's own error is below 0.02
    torch.testing.assert_close(data.mean(0), MIDDLE, atol=0.05, rtol=0)
    torch.testing.assert_close(data.std(0), torch.full((2,), SPREAD, dtype=torch.float64), atol=0.04, rtol=0)


def test_the_way_back_leads_to_the_noise_that_a_sample_comes_from():
    noise = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    there = follow(to_gaussian, noise, 200, "heun")
    torch.testing.assert_close(follow(to_gaussian, there, 200, "heun", back=True), noise, atol=1e-3, rtol=1e-3)


def test_the_best_velocity_is_the_expected_one_and_its_loss_is_the_least():
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(20000, 2, generator=random, dtype=torch.float64)
    data = MIDDLE + SPREAD * torch.randn(20000, 2, generator=random, dtype=torch.float64)
    times = times_between(20000, random)
    points = on_the_line(noise, data, times.double())
    best = to_gaussian(points, times)
    losses = [flow_loss(best + off, noise, data).item() for off in (0.0, 0.2, -0.2)]
    assert losses[0] < min(losses[1:]) - 0.02  # 0.2² = 0.04, give or take the noise of 20,000 samples


def test_lines_begin_at_noise_and_end_at_data():
    noise, data = torch.randn(3, 2, 2), torch.randn(3, 2, 2)
    torch.testing.assert_close(on_the_line(noise, data, torch.tensor([0.0, 1.0, 0.5]))[0], noise[0])
    torch.testing.assert_close(on_the_line(noise, data, torch.tensor([0.0, 1.0, 0.5]))[1], data[1])
    torch.testing.assert_close(on_the_line(noise, data, torch.tensor([0.0, 1.0, 0.5]))[2], (noise[2] + data[2]) / 2)


def test_times_lie_between_the_ends_and_around_the_middle():
    times = times_between(4000, torch.Generator().manual_seed(0))
    assert times.min() > 0
    assert times.max() < 1
    assert times.mean().item() == pytest.approx(0.5, abs=0.02)  # 5 standard errors
    assert (abs(times - 0.5) < 0.25).float().mean() > 0.6  # of a uniform distribution it is 0.5


def test_guidance_goes_from_no_condition_through_it_and_beyond():
    shown, hidden = torch.tensor([3.0]), torch.tensor([1.0])
    assert [guided(shown, hidden, scale).item() for scale in (0, 1, 2)] == [1.0, 3.0, 5.0]
