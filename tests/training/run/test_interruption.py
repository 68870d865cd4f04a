import os
import signal

import pytest

from lexel.training.run import interruption
from lexel.training.run.interruption import Interruption


@pytest.mark.parametrize("number", Interruption.SIGNALS)
def test_a_signal_is_a_request(number):
    with Interruption() as interrupted:
        assert not interrupted.requested
        os.kill(os.getpid(), number)
        assert interrupted.requested


def test_a_second_ctrl_c_ends_at_once_and_the_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch, Interruption() as interrupted:
        patch.setattr(interruption, "SAME_WISH", 0.0)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupted.requested
    assert signal.getsignal(signal.SIGINT) is before


def test_the_same_wish_from_two_sides_is_one_request():
    """As when a scheduler signals all processes of a job, and torchrun passes its own signal on to those it started."""
    with Interruption() as interrupted:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert interrupted.requested
