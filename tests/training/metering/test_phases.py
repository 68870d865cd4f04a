import pytest
import torch
from torch import nn

from lexel.training.metering import phases
from lexel.training.metering.phases import Stopwatch, phase

CPU = torch.device("cpu")


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(phases, "time", clock)
    return clock


class Tower(nn.Module):
    """Takes two seconds for a forward pass."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def forward(self, fails: bool = False) -> None:
        self.clock.work(2)
        if fails:
            raise RuntimeError("out of memory")


def test_time_goes_to_the_innermost_phase(clock):
    stopwatch = Stopwatch(CPU, waits=True)
    with stopwatch.watching({}):
        for _ in range(2):
            clock.work(1000)  # in no phase
            with phase("outer"):
                clock.work(1)
                with phase("inner"):
                    clock.work(10)
                clock.work(5)
    assert stopwatch.seconds == {"outer": 12, "inner": 20}


def test_a_towers_forward_pass_is_a_phase(clock):
    tower, stopwatch = Tower(clock), Stopwatch(CPU, waits=True)
    with stopwatch.watching({"image tower": tower}), phase("the rest"):
        tower()
        clock.work(1)
        tower()
    tower()  # no longer watched
    assert stopwatch.seconds == {"the rest": 1, "image tower forward": 4}


def test_a_phase_that_fails_is_over(clock):
    tower, stopwatch = Tower(clock), Stopwatch(CPU, waits=True)
    with stopwatch.watching({"tower": tower}), phase("after"):
        with pytest.raises(RuntimeError), phase("failing"):
            tower(fails=True)
        clock.work(3)
    assert stopwatch.seconds == {"after": 3, "failing": 0, "tower forward": 2}


def test_without_a_watcher_phases_do_nothing(clock):
    stopwatch = Stopwatch(CPU, waits=True)
    with stopwatch.watching({}):
        pass
    with phase("unwatched"):
        clock.work(1)
    assert stopwatch.seconds == {}


def test_phases_are_named_in_a_trace():
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:  # noqa: SIM117
        with Stopwatch(CPU, waits=False).watching({}), phase("a part of a step"):
            torch.ones(2) + 1
    assert "a part of a step" in {event.key for event in recorded.key_averages()}
