from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.exports.text import clock_time, one_line, whole_milliseconds


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "00:00.0"), (12.5, "00:12.5"), (12.04, "00:12.04"), (59.9996, "01:00.0"), (3723.25, "1:02:03.25")],
)
def test_times_for_people(seconds, shown):
    assert clock_time(seconds) == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (" a\n\tb\u2028c ", "a b c"),
        ("a\x00b\x1b\x85", "a\ufffdb\ufffd"),
        ("\ud800\uffff", "\ufffd\ufffd"),
        ("zero\u200dwidth", "zero\u200dwidth"),
    ],
)
def test_text_on_one_line(text, line):
    assert one_line(text) == line


@given(
    st.lists(st.floats(0, 1e5), unique=True, min_size=1).map(sorted),
    st.floats(0, 100),
)
def test_no_two_times_become_one_millisecond(times, offset_s):
    rounded = whole_milliseconds(times, offset_s)
    values = [rounded[time] for time in times]
    assert all(a < b for a, b in pairwise(values))
    apart = all(b - a > 0.002 for a, b in pairwise(times))
    if apart:
        assert values == [round((time + offset_s) * 1000) for time in times]
