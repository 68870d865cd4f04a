from pathlib import Path

import pytest
import torch

from lexel.training.metering import meter
from lexel.training.metering.meter import Meter, matmul_peak, peak_memory
from lexel.training.metering.work import Work

CPU = torch.device("cpu")
STATUS = Path("/proc/self/status")
PEAK = 1e12


@pytest.fixture(autouse=True)
def a_known_peak(monkeypatch):
    monkeypatch.setattr(meter, "matmul_peak", lambda device, precision: PEAK)


@pytest.mark.parametrize("processes", [1, 4])
def test_rates_are_of_all_processes_and_the_share_is_of_all_their_peaks(processes):
    use = Meter(CPU, torch.float32, processes).use(Work(tokens=12, flops=10**9), pairs=2, seconds=0.5)
    assert use.pairs_per_second == processes * 4
    assert use.tokens_per_second == processes * 24
    assert use.model_flops_per_second == processes * 2e9
    assert use.mfu == pytest.approx(2e-3)


def test_what_is_not_known_has_no_rate():
    use = Meter(CPU, torch.float32).use(Work(tokens=None, flops=None), pairs=2, seconds=2.0)
    assert (use.tokens_per_second, use.model_flops_per_second, use.mfu) == (None, None, None)
    assert use.pairs_per_second == 1


def test_the_head_of_a_log_says_what_the_share_is_of():
    assert Meter(CPU, torch.bfloat16, processes=2).facts() == {
        "device": "CPU",
        "precision": "bfloat16",
        "processes": 2,
        "threads": torch.get_num_threads(),
        "matmul_flops_per_second": 2 * PEAK,
    }


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_measuring_the_peak_draws_no_random_numbers(precision):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    peak = matmul_peak(torch.device("cpu"), precision)
    assert torch.rand(1) == expected
    assert 1e6 < peak < 1e15


@pytest.mark.parametrize("speed", [1e9, 1e11, 1e13])
def test_the_peak_is_that_of_the_quickest_products_and_is_known_in_under_a_second(monkeypatch, speed):
    """On a machine of known speed, with a clock of its own, which is disturbed at two of three products."""
    clock, products = [0.0], []

    def time_product(matrix: torch.Tensor) -> float:
        products.append(matrix.shape[0])
        seconds = 2 * matrix.shape[0] ** 3 / speed * (1 if len(products) % 3 == 0 else 1.5)
        clock[0] += seconds
        return seconds

    monkeypatch.setattr(meter, "_time_product", time_product)
    monkeypatch.setattr(meter.time, "perf_counter", lambda: clock[0])
    assert matmul_peak(torch.device("cpu"), torch.float32) == pytest.approx(speed)
    assert clock[0] < 1


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell")
def test_the_memory_is_the_most_that_the_system_saw():
    found = peak_memory(torch.device("cpu"))
    kilobytes = int(STATUS.read_text().partition("VmHWM:")[2].split()[0])
    assert found == pytest.approx(1024 * kilobytes, rel=0.01)
