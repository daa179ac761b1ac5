"""Numbers and lengths of events."""

import math
from dataclasses import astuple

from streamer.metrics import event_lengths


def test_lengths_of_events_in_any_order():
    assert astuple(event_lengths([(4.0, 10.0, "b"), (0.0, 1.0, "a"), (1.0, 3.0, "c")])) == (3, 3, 2, 1, 6)
    assert astuple(event_lengths([(0, 2), (2, 3)])) == (2, 1.5, 1.5, 1, 2)


def test_without_events_lengths_are_undefined():
    count, *lengths = astuple(event_lengths([]))
    assert count == 0
    assert all(math.isnan(length) for length in lengths)
