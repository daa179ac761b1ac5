"""From stamps to times: missing, repeated, backward and jumping stamps."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.video.clock import FrameClock

MS = Fraction(1, 1000)


def starts(stamps: list[tuple[int | None, int | None]], origin: int | None = None) -> list[int]:
    """Milliseconds at which frames of 40 ms with these (pts, dts) appear."""
    clock = FrameClock(MS, 40, origin)
    return [round(1000 * clock.stamp(pts, dts, 40).start_s) for pts, dts in stamps]


def test_times_count_from_the_first_frame():
    assert starts([(5000, None), (5040, None), (5500, None)]) == [0, 40, 500]


def test_times_count_from_a_given_origin():
    assert starts([(9_000_000, None), (9_000_040, None)], origin=1000) == [8_999_000, 8_999_040]


def test_missing_stamps_follow_the_frame_before():
    assert starts([(None, None), (None, None), (None, None)]) == [0, 40, 80]
    assert starts([(1000, None), (None, None), (1080, None)]) == [0, 40, 80]
    assert starts([(None, None), (5040, None), (5080, None)]) == [0, 40, 80]


def test_repeated_and_misplaced_stamps_are_raised_to_the_frame_before():
    stamps = [0, 40, 40, 120, 80, 160]
    assert starts([(stamp, None) for stamp in stamps]) == [0, 40, 40, 120, 120, 160]


def test_decoding_stamps_take_over_from_presentation_stamps_that_go_back():
    """In AVI files presentation stamps are in coding order, decoding stamps in the order on screen."""
    stamps = [(1, 2), (3, 3), (4, 4), (2, 5), (6, 6), (7, 7), (5, 8), (9, 9), (None, None)]
    clock = FrameClock(Fraction(1, 25), 1)
    frames = [round(25 * clock.stamp(pts, dts, 1).start_s) for pts, dts in stamps]
    assert frames[3:] == [3, 4, 5, 6, 7, 8]


def test_faulty_decoding_stamps_do_not_matter():
    assert starts([(0, 7), (40, 7), (80, 3), (120, 3)]) == [0, 40, 80, 120]


def test_restarted_clock_goes_on_where_the_frame_before_ended():
    assert starts([(900_000, None), (900_040, None), (0, None), (40, None)]) == [0, 40, 80, 120]


def test_gap_is_kept_but_a_broken_stamp_is_not():
    assert starts([(0, None), (1_800_000, None)]) == [0, 1_800_000]
    assert starts([(0, None), (95_443_000_000, None), (80, None), (120, None)]) == [0, 40, 80, 120]


def test_a_frame_without_duration_lasts_as_long_as_the_last_step():
    clock = FrameClock(MS, 40)
    assert clock.stamp(0, None, 0).end_s == pytest.approx(0.04)
    assert clock.stamp(100, None, None).end_s == pytest.approx(0.2)
    assert clock.stamp(130, None, 25).end_s == pytest.approx(0.155)


stamp = st.none() | st.integers(-(2**40), 2**40)


@given(st.lists(st.tuples(stamp, stamp, st.none() | st.integers(-5, 10_000)), min_size=1, max_size=40))
def test_times_start_at_zero_and_never_go_back(frames):
    clock = FrameClock(MS, 40)
    spans = [clock.stamp(*frame) for frame in frames]
    assert spans[0].start_s == 0
    assert all(span.end_s > span.start_s for span in spans)
    assert all(later.start_s >= earlier.start_s for earlier, later in itertools.pairwise(spans))


@given(st.integers(-(2**40), 2**40), st.lists(st.integers(1, 3_600_000), max_size=40))
def test_increasing_stamps_are_times(first: int, steps: list[int]):
    stamps = [first]
    for step in steps:
        stamps.append(stamps[-1] + step)
    assert starts([(stamp, None) for stamp in stamps]) == [stamp - first for stamp in stamps]
