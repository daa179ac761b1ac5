"""Events merged as they come, against the greedy algorithm with all of them at hand."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.merge_tree import MergeTree
from streamer.merging import Merging

Given = list[tuple[int, list[float]]]
# Whole numbers: sums and costs are exact for the first mergers, so that ties are ties.
COORDINATES = st.integers(-6, 6).map(float)
EVENTS: st.SearchStrategy[Given] = st.integers(1, 3).flatmap(
    lambda dim: st.lists(
        st.tuples(st.integers(1, 5), st.lists(COORDINATES, min_size=dim, max_size=dim)),
        min_size=1,
        max_size=30,
    )
)


def fed(events: Given, merging: Merging) -> Merging:
    start = 0
    for snippets, vector in events:
        merging.add(start * 0.5, (start + snippets) * 0.5, snippets, np.array(vector))
        start += snippets
    return merging


def ward(n: float, k: float, m: np.ndarray, v: np.ndarray) -> float:
    """Ward's cost, of which more is known than of cosines."""
    return n * k / (n + k) * float((m - v) @ (m - v))


def merged(events: Given, **options: Any) -> MergeTree:
    return fed(events, Merging(ward, **options)).finish()


def greedy(events: Given) -> tuple[list[list[int]], list[float]]:
    """First events of the level after each merger, from the finest, and the heights, done plainly."""
    nodes = [(first, n, np.array(vector), 0.0) for first, (n, vector) in enumerate(events)]
    levels, heights = [[node[0] for node in nodes]], []
    while len(nodes) > 1:
        costs = []
        for (_, n, m, _), (_, k, v, _) in pairwise(nodes):
            costs.append(ward(n, k, m, v))
        at = int(np.argmin(costs))
        (first, n, m, h), (_, k, v, g) = nodes[at : at + 2]
        height = max(costs[at], h, g)
        nodes[at : at + 2] = [(first, n + k, m + (v - m) * (k / (n + k)), height)]
        levels.append([node[0] for node in nodes])
        heights.append(height)
    return levels, heights


def assert_greedy(tree: MergeTree, events: Given) -> None:
    levels, heights = greedy(events)
    assert tree.height.tolist() == heights
    for level in levels:
        assert tree.cut(len(level)).tolist() == level


@given(EVENTS)
@settings(deadline=None, max_examples=200)
def test_with_room_for_all_events_it_is_the_greedy_algorithm(events):
    assert_greedy(merged(events), events)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=30), st.integers(3, 12))
@settings(deadline=None, max_examples=300)
def test_of_vectors_that_move_in_one_direction_it_is_so_in_little_room(steps, room):
    positions = np.cumsum([step for _, step in steps])
    events = [(n, [float(position)]) for (n, _), position in zip(steps, positions, strict=True)]
    merging = fed(events, Merging(ward, open_nodes=room))
    tree, whole = merging.finish(), merged(events)
    if merging.guesses:
        return
    np.testing.assert_allclose(tree.height, whole.height, rtol=1e-9)
    # Mergers of equal cost may be done in any order: levels are compared where costs are apart.
    for merger in np.flatnonzero(np.diff(whole.height) > 1e-9 * whole.height[1:]):
        left = len(whole.height) - int(merger)
        assert tree.cut(left).tolist() == whole.cut(left).tolist()


def test_falling_costs_leave_no_choice_but_a_guess():
    events = [(1, [float(position)]) for position in (0, 8, 12, 14, 15)]
    merging = fed(events, Merging(ward, open_nodes=3))
    assert merging.guesses > 0
    assert merging.finish().cut(2).tolist() == [0, 1]


@given(EVENTS, st.integers(3, 8))
@settings(deadline=None, max_examples=200)
def test_every_tree_is_one(events, room):
    tree = merged(events, open_nodes=room)
    count = len(events)
    assert tree.events == count
    assert sorted([*tree.left.tolist(), *tree.right.tolist()]) == list(range(2 * count - 2))
    assert (np.diff(tree.height) >= 0).all()
    snippets = [n for n, _ in events]
    assert tree.snippets[:count].tolist() == snippets
    for merger, (left, right) in enumerate(zip(tree.left, tree.right, strict=True), start=count):
        assert max(left, right) < merger
        assert tree.end_s[left] == tree.start_s[right]
        assert (tree.start_s[merger], tree.end_s[merger]) == (tree.start_s[left], tree.end_s[right])
        assert tree.snippets[merger] == tree.snippets[left] + tree.snippets[right]
    assert tree.snippets[-1] == sum(snippets)


@given(EVENTS, st.integers(3, 8))
@settings(deadline=None)
def test_levels_are_nested_and_as_large_as_asked_for(events, room):
    tree = merged(events, open_nodes=room)
    finer: set[int] | None = None
    for count in range(tree.events, 0, -1):
        starts = tree.cut(count).tolist()
        assert starts == sorted(set(starts))
        assert (starts[0], len(starts)) == (0, count)
        assert finer is None or set(starts) <= finer
        finer = set(starts)


@given(EVENTS)
@settings(deadline=None)
def test_a_cut_by_height_leaves_the_boundaries_that_are_higher(events):
    tree = merged(events)
    heights = tree.boundary_heights()
    for height in [-1.0, 0.0, *tree.height.tolist()]:
        assert tree.cut(tree.events_above(height)).tolist() == [
            0,
            *(np.flatnonzero(heights > height) + 1).tolist(),
        ]


def test_a_short_event_between_two_alike_joins_one_of_them_first():
    """A merger may make the next one cheaper than both would have been: heights do not fall all the same."""
    tree = merged([(10, [0.0]), (1, [3.0]), (10, [0.1])])
    assert tree.cut(2).tolist() == [0, 2] or tree.cut(2).tolist() == [0, 1]
    assert tree.height[1] >= tree.height[0]


def test_scenes_are_found():
    random = np.random.default_rng(0)
    scenes = np.repeat(random.normal(0, 5, (6, 8)), 20, axis=0)
    events = [(int(random.integers(1, 5)), (row + random.normal(0, 0.3, 8)).tolist()) for row in scenes]
    for room in (8, 1024):
        assert merged(events, open_nodes=room).cut(6).tolist() == [0, 20, 40, 60, 80, 100]


def test_another_cost():
    def largest(one: float, other: float, mean_D: np.ndarray, other_mean_D: np.ndarray) -> float:
        return float(max(mean_D[0], other_mean_D[0]))

    merging = Merging(largest)
    for place, value in enumerate([5.0, 1.0, 2.0, 9.0]):
        merging.add(place, place + 1, 1, np.array([value]))
    tree = merging.finish()
    assert tree.height.tolist() == [2.0, 5.0, 9.0]
    assert tree.boundary_heights().tolist() == [5.0, 2.0, 9.0]


def test_mean_lengths():
    tree = merged([(4, [0.0])] * 10)  # 20 s
    assert [tree.events_of(length) for length in (0.1, 2.0, 4.1, 20.0, 1e6)] == [10, 10, 5, 1, 1]


def scenes_of(lengths: list[int], seed: int = 0) -> Given:
    """Scenes of so many events, each about alike."""
    random = np.random.default_rng(seed)
    means = np.repeat(random.normal(0, 5, (len(lengths), 8)), lengths, axis=0)
    return [(2, (mean + random.normal(0, 0.1, 8)).tolist()) for mean in means]


@pytest.mark.parametrize("asked", [8, 9, 10, 11, 13])
def test_near_the_number_of_scenes_it_is_that_number(asked):
    assert merged(scenes_of([9, 4, 12, 7, 7, 5, 9, 10, 8, 6])).natural(asked) == 10


@given(EVENTS, st.integers(1, 30))
@settings(deadline=None)
def test_a_natural_number_is_near_the_one_that_is_asked_for(events, asked):
    tree = merged(events)
    asked = min(asked, tree.events)
    assert asked / 1.4 <= tree.natural(asked) <= asked * 1.4
    assert tree.natural(1) == 1
    assert tree.natural(tree.events) == tree.events


@given(EVENTS, st.lists(st.integers(1, 30), max_size=5))
@settings(deadline=None)
def test_natural_numbers_of_levels_do_not_rise(events, asked):
    tree = merged(events)
    counts = tree.natural_counts(sorted((min(count, tree.events) for count in asked), reverse=True))
    assert counts == sorted(counts, reverse=True)


def test_a_still_video_has_as_many_as_are_asked_for():
    tree = merged([(4, [1.0, 2.0])] * 50)
    assert [tree.natural(count) for count in (2, 7, 20, 49)] == [2, 7, 20, 49]


def test_one_event_is_a_tree():
    tree = merged([(3, [1.0])])
    assert (tree.events, tree.duration_s, tree.cut(1).tolist()) == (1, 1.5, [0])


@pytest.mark.parametrize("room", [64, 256])
def test_vectors_are_kept_of_open_nodes_only(room):
    random = np.random.default_rng(0)
    dim, merging, most = 512, Merging(ward, open_nodes=room), 0
    vectors = random.normal(size=(64, dim))
    merging.add(0.0, 1.0, 1, vectors[0])
    tracemalloc.start()
    for place in range(1, 3000):
        merging.add(float(place), float(place + 1), 1, vectors[place % 64])
        most = max(most, len(merging))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most <= room
    assert grown < 3000 * dim, "less than a byte per number of all vectors: those of events are not kept"
    assert merging.finish().events == 3000


def test_a_hundred_thousand_events_in_bounded_memory():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(1000, 4))
    merging = Merging(ward, open_nodes=128)
    for place in range(100_000):
        merging.add(float(place), float(place + 1), 1, vectors[place % 1000])
        assert len(merging) <= 128
    assert merging.finish().events == 100_000
