"""The symmetric level reduction: exact small cases, all cuts of small trees, and what its scores promise."""

import math
from itertools import chain, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from streamer.errors import HierarchyError, StreamerError, TruthError
from streamer.metrics import dyadic_grid, random_nested, symmetric_level_reduction


def iou(one, other):
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, shared) / (max(one[1], other[1]) - min(one[0], other[0])) if shared > 0 else 0.0


def matched(kept, truth):
    """Largest sum of intersections over union, by scipy."""
    weights = np.array([[iou(event, annotated) for annotated in truth] for event in kept])
    return weights[linear_sum_assignment(weights, maximize=True)].sum()


def f1_of(kept, truth):
    return 2 * matched(kept, truth) / (len(kept) + len(truth))


def cuts(levels, event, depth):
    """All ways to keep an event or replace it by its children."""
    ways = [[event]]
    if depth:
        children = [child for child in levels[depth - 1] if event[0] <= child[0] < event[1]]
        ways += [
            list(chain(*way)) for way in product(*[cuts(levels, child, depth - 1) for child in children])
        ]
    return ways


def all_cuts(levels):
    top = len(levels) - 1
    return [list(chain(*way)) for way in product(*[cuts(levels, event, top) for event in levels[top]])]


def small_tree(seed):
    return random_nested(6, seed, step=1, keep=(0.7, 0.5, 0.3))


def events(seed, count=4, duration=6.0):
    generator = np.random.default_rng(seed)
    starts = generator.uniform(0, duration - 0.5, size=generator.integers(1, count + 1))
    ends = np.minimum(starts + generator.uniform(0.4, 3, size=len(starts)), duration)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


seeds = st.integers(0, 2**32)


def test_the_level_that_fits_is_kept_branch_by_branch():
    levels = [[(0, 2), (2, 4), (4, 7), (7, 10)], [(0, 4), (4, 10)]]
    result = symmetric_level_reduction(levels, [(0, 2, "a"), (2, 4, "b"), (4, 10, "c")], duration=10)
    assert result.selected == [(0, 2), (2, 4), (4, 10)]
    assert (result.precision.value, result.recall.value, result.f1.value) == (1, 1, 1)


def test_unmatched_events_and_annotations_cost():
    result = symmetric_level_reduction([[(0, 5), (5, 10)]], [(0, 5)], duration=10)
    assert (result.precision.value, result.recall.value) == (0.5, 1)
    assert (result.f1.numerator, result.f1.denominator) == (2, 3)
    result = symmetric_level_reduction([[(0, 5)]], [(0, 5), (5, 10), (6, 7)], duration=10)
    assert (result.precision.value, result.recall.value) == (1, pytest.approx(1 / 3))


def test_an_event_is_matched_once():
    result = symmetric_level_reduction([[(0, 10)]], [(0, 5), (5, 10)], duration=10)
    assert result.f1.numerator == pytest.approx(2 * 0.5)
    assert result.f1.denominator == 3


def test_splitting_is_charged_where_the_level_reduction_lets_it_go():
    grid = dyadic_grid(64.0)[:1]
    assert symmetric_level_reduction(grid, [(0, 1), (1, 2)], duration=64).f1.value == pytest.approx(4 / 66)


def test_an_annotation_goes_to_the_side_on_which_it_fits_best_further_down():
    # At the top it overlaps the first event best, but its like is below the second.
    levels = [[(0, 10), (10, 30), (30, 100)], [(0, 10), (10, 100)]]
    result = symmetric_level_reduction(levels, [(9, 30)], duration=100)
    assert result.f1.numerator == pytest.approx(2 * 20 / 21)


@settings(max_examples=60)
@given(seeds, seeds)
def test_what_is_kept_is_a_cut_and_its_score_that_of_the_best_matching(seed, truth_seed):
    levels, truth = small_tree(seed), events(truth_seed)
    result = symmetric_level_reduction(levels, truth, duration=6)
    assert result.selected in all_cuts(levels)
    assert result.f1.value == pytest.approx(f1_of(result.selected, truth))


@pytest.mark.parametrize(
    ("duration", "keep", "count", "cases"), [(9, (0.8, 0.6, 0.5), 5, 120), (7, (0.8, 0.5, 0.4), 6, 150)]
)
def test_the_best_of_all_cuts_is_found_in_these_trees(duration, keep, count, cases):
    # Each part of the search is needed for some of them.
    for seed in range(cases):
        levels = random_nested(duration, seed, step=1, keep=keep)
        truth = events(1000 + seed, count=count, duration=duration)
        best = max(f1_of(way, truth) for way in all_cuts(levels))
        assert symmetric_level_reduction(levels, truth, duration=duration).f1.value == pytest.approx(best)


@pytest.mark.parametrize("seed", [312, 375, 434, 578, 764])
def test_a_level_that_the_paths_do_not_lead_to_is_found(seed):
    levels, truth = small_tree(seed), events(50_000 + seed)
    whole = symmetric_level_reduction(levels, truth, duration=6).f1.value
    assert (
        whole
        >= max(symmetric_level_reduction([level], truth, duration=6).f1.value for level in levels) - 1e-9
    )


def test_what_lies_past_the_end_of_the_level_above_is_in_no_cut():
    result = symmetric_level_reduction([[(0, 5), (5, 10)], [(0, 5)]], [(5, 10)], duration=10)
    assert result.selected == [(0, 5)]
    assert result.f1.value == 0


@settings(max_examples=60)
@given(seeds, seeds)
def test_parts_are_consistent_and_bounded(seed, truth_seed):
    levels, truth = random_nested(60, seed), events(truth_seed, count=30, duration=60)
    result = symmetric_level_reduction(levels, truth, duration=60)
    assert 0 <= result.precision.value <= 1
    assert 0 <= result.recall.value <= 1
    precision, recall = result.precision.value, result.recall.value
    mean = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert result.f1.value == pytest.approx(mean)
    assert result.precision.denominator == len(result.selected)
    assert result.recall.denominator == len(truth)
    assert result.selected[0][0] == 0
    assert result.selected[-1][1] == 60
    assert all(a[1] == b[0] for a, b in pairwise(result.selected))


@settings(max_examples=40)
@given(seeds, seeds)
def test_no_level_alone_is_better(seed, truth_seed):
    levels, truth = random_nested(40, seed), events(truth_seed, count=20, duration=40)
    whole = symmetric_level_reduction(levels, truth, duration=40).f1.value
    for level in levels:
        assert whole >= symmetric_level_reduction([level], truth, duration=40).f1.value - 1e-9


@settings(max_examples=40)
@given(seeds, st.integers(0, 2))
def test_it_is_one_for_a_level_of_the_hierarchy_itself_and_for_nothing_less(seed, level):
    levels = random_nested(40, seed, step=1)
    truth = levels[level]
    assert symmetric_level_reduction(levels, truth, duration=40).f1.value == pytest.approx(1, abs=1e-12)
    if len(truth) > 1:
        for less in (truth[1:], [(0.0, truth[0][1] - 0.25), *truth[1:]], [*truth, (0.0, 0.5)]):
            assert symmetric_level_reduction(levels, less, duration=40).f1.value < 1 - 1e-9


@settings(max_examples=40)
@given(seeds, seeds)
def test_a_false_event_and_a_missing_one_lower_the_score_of_a_flat_list(seed, truth_seed):
    truth = random_nested(40, truth_seed, step=1)[0]
    level = random_nested(40, seed, step=1)[1]
    score = symmetric_level_reduction([level], truth, duration=40).f1.value
    false = symmetric_level_reduction([[*level, (40.0, 41.0)]], truth, duration=60).f1.value
    assert false < score
    if len(truth) > 1:
        assert symmetric_level_reduction([truth[1:]], truth, duration=40).f1.value < 1
        assert symmetric_level_reduction([truth], truth, duration=40).f1.value == pytest.approx(1)


@settings(max_examples=40)
@given(seeds, seeds, st.sampled_from([0.5, 4.0]), st.sampled_from([0.0, 16.0]))
def test_neither_unit_nor_origin_of_time_matters(seed, truth_seed, scale, shift):
    levels, truth = random_nested(40, seed), events(truth_seed, count=12, duration=40)
    base = symmetric_level_reduction(levels, truth, duration=40)
    moved = symmetric_level_reduction(
        [[(a * scale + shift, b * scale + shift) for a, b in level] for level in levels],
        [(a * scale + shift, b * scale + shift) for a, b in truth],
        duration=40 * scale + shift,
    )
    assert moved.f1.value == pytest.approx(base.f1.value, abs=1e-9)


@given(seeds, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_annotations_does_not_matter(seed, truth_seed, random):
    levels, truth = random_nested(40, seed), events(truth_seed, count=12, duration=40)
    shuffled = random.sample(truth, len(truth))
    scores = [symmetric_level_reduction(levels, order, duration=40).f1.value for order in (truth, shuffled)]
    assert scores[0] == pytest.approx(scores[1])


def test_without_annotation_everything_is_undefined():
    result = symmetric_level_reduction([[(0, 5), (5, 10)], [(0, 10)]], [(10, 12)], duration=10)
    assert all(math.isnan(part.value) for part in (result.precision, result.recall, result.f1))
    assert result.selected == [(0, 10)]


def test_annotations_that_meet_nothing_score_zero():
    result = symmetric_level_reduction([[(0, 5)]], [(6, 7), (8, 8)], duration=10)
    assert (result.precision.value, result.recall.value, result.f1.value) == (0, 0, 0)


def test_annotations_are_cut_at_the_end_of_the_video():
    assert symmetric_level_reduction([[(0, 5), (5, 10)]], [(0, 5), (5, 14)], duration=10).f1.value == 1


def test_impossible_input_is_refused():
    with pytest.raises(HierarchyError, match="no level"):
        symmetric_level_reduction([[]], [(0, 1)], duration=10)
    with pytest.raises(TruthError, match="annotation"):
        symmetric_level_reduction([[(0, 10)]], [(2, 1)], duration=10)
    with pytest.raises(StreamerError, match="duration is 0"):
        symmetric_level_reduction([[(0, 10)]], [(0, 1)], duration=0)
