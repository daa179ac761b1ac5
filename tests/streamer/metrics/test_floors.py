"""Blind hierarchies: exact small cases, and tiling and nesting in general."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import StreamerError
from streamer.metrics import dyadic_grid, fixed_period, random_nested, uniform

durations = st.floats(0.05, 3000, allow_nan=False)


def assert_tiles(level, duration):
    assert level[0][0] == 0
    assert level[-1][1] == duration
    assert all(start < end for start, end in level)
    assert all(before[1] == after[0] for before, after in pairwise(level))


def boundaries(level):
    return {start for start, _ in level}


def test_fixed_period_leaves_the_rest_to_the_last_event():
    assert fixed_period(5.0, 2.0) == [[(0, 2), (2, 4), (4, 5)]]
    assert fixed_period(4.0, 2.0) == [[(0, 2), (2, 4)]]
    assert fixed_period(1.0, 2.0) == [[(0, 1)]]


def test_fixed_period_has_no_sliver_from_round_off():
    assert len(fixed_period(0.1 + 0.2, 0.1)[0]) == 3


def test_uniform_has_equal_events():
    assert uniform(6.0, 3) == [[(0, 2), (2, 4), (4, 6)]]
    assert uniform(6.0, 1) == [[(0, 6)]]


def test_dyadic_grid_halves_down_to_the_coarsest_count():
    assert [len(level) for level in dyadic_grid(100.0)] == [128, 64, 32, 16]
    assert [len(level) for level in dyadic_grid(128.0)] == [128, 64, 32, 16]
    assert [len(level) for level in dyadic_grid(128.5)] == [256, 128, 64, 32, 16]


def test_dyadic_grid_of_a_short_video_keeps_its_finest_level():
    assert [len(level) for level in dyadic_grid(5.0)] == [8]
    assert dyadic_grid(0.5) == [[(0, 0.5)]]


def test_dyadic_grid_stops_at_one_event():
    assert [len(level) for level in dyadic_grid(4.0, coarsest_count=1)] == [4, 2, 1]


def test_random_nested_follows_its_seed():
    assert random_nested(60, 3) == random_nested(60, 3)
    assert random_nested(60, 3) != random_nested(60, 4)


def test_random_nested_keeps_the_given_shares():
    levels = random_nested(100_000, 0)
    counts = np.array([len(level) - 1 for level in levels])
    assert counts[0] / 199_999 == pytest.approx(0.25, abs=0.01)
    assert counts[1:] / counts[:-1] == pytest.approx([0.4, 0.4], abs=0.02)


def test_random_nested_with_certain_boundaries_is_the_grid():
    assert random_nested(2.0, 0, step=0.5, keep=(1.0, 0.0)) == [
        [(0, 0.5), (0.5, 1), (1, 1.5), (1.5, 2)],
        [(0, 2)],
    ]


@given(durations, st.floats(0.1, 50), st.integers(1, 40), st.integers(0, 2**32))
def test_every_level_tiles_the_video(duration, period, count, seed):
    hierarchies = [
        fixed_period(duration, period),
        uniform(duration, count),
        dyadic_grid(duration),
        random_nested(duration, seed),
    ]
    for levels in hierarchies:
        for level in levels:
            assert_tiles(level, duration)


@given(durations, st.integers(0, 2**32))
def test_coarser_boundaries_are_finer_boundaries(duration, seed):
    for levels in (dyadic_grid(duration), random_nested(duration, seed)):
        for finer, coarser in pairwise(levels):
            assert boundaries(coarser) <= boundaries(finer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: fixed_period(0, 1),
        lambda: fixed_period(10, -1),
        lambda: uniform(10, 0),
        lambda: dyadic_grid(float("inf")),
        lambda: random_nested(float("nan"), 0),
    ],
)
def test_impossible_arguments_are_refused(make):
    with pytest.raises(StreamerError, match="positive"):
        make()
