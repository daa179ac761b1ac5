import os
import signal

import pytest

from pipelines.interruption import noticed_interrupt


class Finalized:
    """Is interrupted while Python finalizes it, where exceptions are ignored."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(1000))  # the handler runs between two instructions


def test_ctrl_c_is_noticed_wherever_it_strikes():
    with noticed_interrupt() as noticed:
        assert not noticed.is_set()
        Finalized()
        assert noticed.is_set()


def test_the_second_one_is_an_exception_as_usual():
    with noticed_interrupt() as noticed:
        os.kill(os.getpid(), signal.SIGINT)
        assert noticed.wait(10)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_was_there_before_is_there_again():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="of the block"), noticed_interrupt():
        raise ValueError("of the block")
    assert signal.getsignal(signal.SIGINT) is before
