"""Which picture belongs to which clip."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.exports.exposure import WHOLE_PICTURE_S, Exposure, Picture, exposures

FRAME: Any = None  # nobody looks at it
TOLERANCE_S = 1e-5


def shown(*times: float) -> list[Picture]:
    """Pictures that appear at these times, the last of which is no picture but the end."""
    return [Picture(FRAME, start, end) for start, end in pairwise(times)]


def dealt(times, bounds) -> list[tuple[int, float, float, float]]:
    """Clip, appearance of the picture, and the part of its time that it has in the clip."""
    found = exposures(shown(*times), bounds, TOLERANCE_S)
    return [(e.clip, e.picture.start_s, e.start_s, e.end_s) for e in found]


def test_a_picture_goes_whole_to_the_clip_at_whose_start_it_is_on_screen():
    assert dealt([0, 0.04, 0.08, 0.12], [0, 0.1, 0.12]) == [
        (0, 0, 0, 0.04),
        (0, 0.04, 0.04, 0.08),
        (1, 0.08, 0.08, 0.12),
    ]


def test_a_picture_that_appears_by_rounding_after_a_bound_is_on_screen_at_it():
    assert [e[:2] for e in dealt([0, 0.04, 0.08 + 5e-6, 0.12], [0, 0.08, 0.12])] == [
        (0, 0),
        (0, 0.04),
        (1, 0.08 + 5e-6),
    ]


def test_a_picture_that_stands_for_long_is_shared():
    assert dealt([0, 1, 9, 10], [0, 2, 4, 10]) == [
        (0, 0, 0, 1),
        (0, 1, 1, 2),
        (1, 1, 2, 4),
        (2, 1, 4, 9),
        (2, 9, 9, 10),
    ]


def test_pictures_that_stand_just_as_long_are_dealt_alike_at_any_time():
    times = [index * 0.2 for index in range(501)]  # each bound lies 0.1 s after a picture, but for rounding
    bounds = [0, *(index + 0.5 for index in range(99)), 100]
    found = dealt(times, bounds)
    assert len(found) == 500 + 99
    assert [start for _, picture, start, _ in found if start != picture] == bounds[1:-1]


def test_two_bounds_within_one_picture_leave_no_clip_empty():
    assert dealt([0, 0.09, 1], [0, 0.1, 0.11, 1]) == [
        (0, 0, 0, 0.09),
        (1, 0.09, 0.09, 0.11),
        (2, 0.09, 0.11, 1),
    ]


def test_clips_may_begin_and_end_within_the_video():
    assert dealt([0, 0.5, 1, 1.5, 2, 2.5], [0.5, 1, 1.5]) == [(0, 0.5, 0.5, 1), (1, 1, 1, 1.5)]


@st.composite
def cuts(draw) -> tuple[list[float], list[float]]:
    """Times of pictures, and bounds at multiples of a snippet's size up to the last picture's end."""
    step = st.sampled_from([0.02, 1 / 30, 0.04, 0.3, 2.0])
    times = [0.0]
    for length in draw(st.lists(step, min_size=1, max_size=60)):
        times.append(times[-1] + length)
    size = draw(st.sampled_from([0.1, 0.5]))
    grid = [index * size for index in range(int(times[-1] / size) + 1) if index * size < times[-1] - 1e-3]
    inner = draw(st.sets(st.sampled_from(grid)))
    return times, [*sorted(inner | {0.0}), times[-1]]


@given(cuts())
@settings(deadline=None, max_examples=200)
def test_every_clip_shows_what_is_on_screen_in_its_event(case):
    times, bounds = case
    found = list(exposures(shown(*times), bounds, TOLERANCE_S))
    clips: dict[int, list[Exposure]] = {}
    for exposure in found:
        clips.setdefault(exposure.clip, []).append(exposure)
    assert list(clips) == list(range(len(bounds) - 1))
    # Nothing is lost and nothing is shown twice at a time.
    assert [found[0].start_s, found[-1].end_s] == [0.0, times[-1]]
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    for clip, exposed in clips.items():
        first, last = exposed[0], exposed[-1]
        # It begins with the picture on screen at its bound, and not long before that.
        assert first.picture.start_s <= bounds[clip] + TOLERANCE_S < first.picture.end_s
        assert bounds[clip] - WHOLE_PICTURE_S < first.start_s <= bounds[clip] + TOLERANCE_S
        assert last.picture.start_s < bounds[clip + 1]
    whole = [e.picture.start_s for e in found if e.picture.end_s - e.picture.start_s < WHOLE_PICTURE_S]
    if min(b - a for a, b in pairwise(bounds)) >= WHOLE_PICTURE_S:
        assert len(whole) == len(set(whole))


def test_pictures_are_asked_for_no_further_than_to_the_last_clip():
    def endless():
        yield from shown(0, 1, 2, 3)
        pytest.fail("read on")

    assert len(list(exposures(endless(), [0, 1, 2], TOLERANCE_S))) == 2
