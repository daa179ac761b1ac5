"""Tilings of events with gaps and overlaps: exact small cases, and the general promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import TruthError
from streamer.metrics.segments import check_truth, tile


def pieces(segments, duration):
    tiling = tile(segments, duration)
    edges = tiling.edges.tolist()
    return list(zip(edges[:-1], edges[1:], tiling.owners.tolist(), strict=True))


def test_gaps_are_pieces_of_their_own():
    assert pieces([(6.0, 8.0), (1.0, 4.0)], 10.0) == [
        (0, 1, -1),
        (1, 4, 1),
        (4, 6, -1),
        (6, 8, 0),
        (8, 10, -1),
    ]


def test_where_events_overlap_the_one_that_started_last_has_the_time():
    assert pieces([(0.0, 6.0, "a"), (4.0, 10.0, "b")], 10.0) == [(0, 4, 0), (4, 10, 1)]


def test_an_interrupted_event_goes_on_afterwards():
    assert pieces([(0.0, 10.0, "a"), (4.0, 6.0, "b")], 10.0) == [(0, 4, 0), (4, 6, 1), (6, 10, 0)]


def test_of_events_that_start_together_the_shortest_comes_first_and_of_equal_ones_the_first_given():
    assert pieces([(0.0, 10.0), (0.0, 3.0)], 10.0) == [(0, 3, 1), (3, 10, 0)]
    assert pieces([(0.0, 10.0), (0.0, 10.0)], 10.0) == [(0, 10, 0)]


def test_what_lies_outside_or_has_no_length_has_no_piece():
    assert pieces([(2.0, 2.0), (8.0, 14.0), (11.0, 12.0)], 10.0) == [(0, 8, -1), (8, 10, 1)]
    assert pieces([], 10.0) == [(0, 10, -1)]


halves = st.integers(0, 40).map(lambda x: x / 2)
events = st.lists(st.tuples(halves, halves).map(lambda pair: tuple(sorted(pair))), max_size=12)


@given(events)
def test_every_moment_belongs_to_the_event_that_started_last(segments):
    tiling = tile(segments, 15.0)
    assert tiling.edges[0] == 0
    assert tiling.edges[-1] == 15
    assert (np.diff(tiling.edges) > 0).all()
    assert (np.diff(tiling.owners) != 0).all()
    for moment in np.arange(0, 15, 0.5) + 0.25:
        owner = tiling.owners[np.searchsorted(tiling.edges, moment) - 1]
        around = [(-s, min(e, 15), n) for n, (s, e) in enumerate(segments) if s <= moment < e]
        assert owner == (min(around)[2] if around else -1)


@pytest.mark.parametrize("times", [(-1, 2), (3, 2), (0, math.inf), (math.nan, 1)])
def test_impossible_annotations_are_refused(times):
    with pytest.raises(TruthError, match="annotation 'cut'"):
        check_truth([(*times, "cut")])
    with pytest.raises(TruthError, match="annotation from"):
        check_truth([times])
