"""Processes of their own."""

import os
import signal

import pytest

from benchmarks.child import Children, peak_mb, peak_mib
from streamer.errors import StreamerError


def test_each_name_has_a_process_that_stays():
    with Children(["one", "other"]) as children:
        first, second, third = (children.call(name, os.getpid) for name in ("one", "other", "one"))
    assert first == third
    assert len({first, second, os.getpid()}) == 3


def test_a_process_that_is_ended_is_told_in_one_line():
    with Children(["victim"]) as children, pytest.raises(StreamerError, match="`victim` was ended") as caught:
        children.call("victim", signal.raise_signal, signal.SIGKILL)
    assert "\n" not in str(caught.value)


def test_an_error_comes_through():
    with Children(["one"]) as children, pytest.raises(FileNotFoundError):
        children.call("one", os.stat, "/no/such/file")


def test_memory_is_told_in_both_units():
    assert peak_mb() == pytest.approx(peak_mib() * 1.048576, rel=0.2)
