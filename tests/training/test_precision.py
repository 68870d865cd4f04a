import pytest
import torch

from lexel.training import precision
from lexel.training.precision import precision_on

CPU = torch.device("cpu")


@pytest.mark.parametrize("fast", [True, False])
def test_by_default_the_format_is_the_faster_one(monkeypatch, fast):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: fast)
    assert precision_on(CPU, "auto") == (torch.bfloat16 if fast else torch.float32)
    assert precision_on(CPU, "bfloat16") == torch.bfloat16
    assert precision_on(CPU, "float32") == torch.float32
