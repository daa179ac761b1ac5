"""T- and L-measure against recorded figures and mir_eval itself, and what they leave undefined."""

import json
import math
import warnings
from itertools import pairwise
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import StreamerError, TruthError
from streamer.metrics import l_measure, random_nested, t_measure
from streamer.metrics.segments import tile

RECORDED = json.loads((Path(__file__).parent / "vectors" / "std_metric_vectors.json").read_text())
CASES = RECORDED["hierarchy_cases"]
BY_KEY = {
    "t_measure_reduced_w15_f0.1": lambda *trees: t_measure(
        *trees, duration=20, frame_size=0.1, transitive=False
    ),
    "t_measure_full_w15_f0.1": lambda *trees: t_measure(*trees, duration=20, frame_size=0.1, transitive=True),
    "t_measure_full_wNone_f0.5": lambda *trees: t_measure(*trees, duration=20, window=None, transitive=True),
    "l_measure_unique_labels_f0.1": lambda *trees: l_measure(*trees, duration=20, frame_size=0.1),
}


def parts(agreement):
    return agreement.precision, agreement.recall, agreement.f1


@pytest.mark.parametrize("key", BY_KEY)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_figures_are_reproduced(case, key):
    finest_first = (case[name][::-1] for name in ("estimate_top_to_bottom", "reference_top_to_bottom"))
    assert parts(BY_KEY[key](*finest_first)) == pytest.approx(case[key], abs=1e-12)


@st.composite
def levels_of_events(draw, duration, labels=None, tiling=False):
    """Up to four levels finest first, with fewer and fewer events, nested or not, with gaps and overlaps."""
    counts = sorted(draw(st.lists(st.integers(1, 7), min_size=1, max_size=4, unique=True)), reverse=True)
    time = st.integers(0, round(duration * 20)).map(lambda ticks: ticks / 20)
    levels = []
    for count in counts:
        if tiling:
            edges = sorted({0.0, duration, *draw(st.lists(time, max_size=count))})
            level = list(pairwise(edges))
        else:
            level = [tuple(sorted(draw(st.tuples(time, time)))) for _ in range(count)]
        if labels:
            level = [(*event, draw(st.sampled_from(labels))) for event in level]
        levels.append(level)
    return levels


def for_mir_eval(levels, duration):
    """Intervals and labels coarse to fine of what the levels become; what has no label has one of its own."""
    intervals, labels = [], []
    for level in levels[::-1]:
        tiling = tile(level, duration)
        intervals.append(np.column_stack([tiling.edges[:-1], tiling.edges[1:]]))
        labels.append(
            [
                str(level[owner][2]) if owner >= 0 and len(level[owner]) > 2 else f"\0{place}/{owner}"
                for place, owner in enumerate(tiling.owners.tolist())
            ]
        )
    return intervals, labels


def as_mir_eval(measure, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # levels that do not nest
        return measure(*args, **kwargs)


def assert_same(agreement, expected):
    if math.isnan(agreement.recall):
        assert expected[1:] == (0, 0)
        assert math.isnan(agreement.precision)
        assert math.isnan(agreement.f1)
    else:
        assert parts(agreement) == pytest.approx(expected, abs=1e-10)


durations = st.integers(40, 240).map(lambda ticks: ticks / 20)


@settings(max_examples=60)
@given(st.data(), durations, st.sampled_from([0.1, 0.25, 0.3, 0.5]), st.booleans(), st.booleans())
def test_t_measure_is_that_of_mir_eval(data, duration, frame_size, transitive, windowed):
    levels = data.draw(levels_of_events(duration, tiling=True))
    truth = data.draw(levels_of_events(duration, labels=["a", "b"]))
    window = data.draw(st.sampled_from([1.0, 1.7, 15.0])) if windowed else None
    ours = t_measure(
        levels, truth, duration=duration, window=window, frame_size=frame_size, transitive=transitive
    )
    theirs = as_mir_eval(
        mir_eval.hierarchy.tmeasure,
        for_mir_eval(truth, duration)[0],
        for_mir_eval(levels, duration)[0],
        transitive=transitive,
        window=window,
        frame_size=frame_size,
    )
    assert_same(ours, theirs)


@settings(max_examples=60)
@given(st.data(), durations, st.sampled_from([0.1, 0.3, 0.5]), st.booleans())
def test_l_measure_is_that_of_mir_eval(data, duration, frame_size, labelled):
    levels = data.draw(levels_of_events(duration, labels=["x", "y", "z"] if labelled else None, tiling=True))
    truth = data.draw(levels_of_events(duration, labels=["a", "b", "c"]))
    ours = l_measure(levels, truth, duration=duration, frame_size=frame_size)
    theirs = as_mir_eval(
        mir_eval.hierarchy.lmeasure,
        *for_mir_eval(truth, duration),
        *for_mir_eval(levels, duration),
        frame_size=frame_size,
    )
    assert_same(ours, theirs)


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_without_labels_and_window_both_measures_are_the_same(seed, other_seed):
    levels, truth = random_nested(60, seed), random_nested(60, other_seed, keep=(0.2, 0.5))
    by_intervals = t_measure(levels, truth, duration=60, window=None, transitive=True)
    assert parts(l_measure(levels, truth, duration=60)) == pytest.approx(parts(by_intervals), nan_ok=True)


def test_many_nested_levels_are_no_harder():
    levels, truth = (random_nested(60, seed, keep=(0.6,) + (0.8,) * 24) for seed in (0, 1))
    by_intervals = t_measure(levels, truth, duration=60, window=None, transitive=True)
    assert parts(l_measure(levels, truth, duration=60)) == pytest.approx(parts(by_intervals))


def test_chunks_of_queries_make_no_difference(monkeypatch):
    levels, truth = random_nested(300, 0), random_nested(300, 1)
    whole = t_measure(levels, truth, duration=300, transitive=True)
    monkeypatch.setattr("streamer.metrics.tree_agreement._CHUNK", 7)
    assert parts(t_measure(levels, truth, duration=300, transitive=True)) == pytest.approx(parts(whole))


def test_levels_of_the_truth_are_ordered_by_their_number_of_events():
    levels = random_nested(60, 0)
    fine, coarse = [(0, 10), (10, 30), (30, 60)], [(0, 30), (30, 60)]
    scores = [
        t_measure(levels, order, duration=60, transitive=True) for order in ([fine, coarse], [coarse, fine])
    ]
    assert scores[0] == scores[1]
    # of equally many the earlier given is the finer
    other = [(0, 30), (30, 45), (45, 60)]
    swapped = [
        t_measure(levels, order, duration=60, transitive=True) for order in ([fine, other], [other, fine])
    ]
    assert swapped[0] != swapped[1]
    assert t_measure([fine, other], [fine, other], duration=60, transitive=True).f1 == 1
    assert t_measure([fine, other], [other, fine], duration=60, transitive=True).f1 < 1


@pytest.mark.parametrize("truth", [[], [[]], [[(0, 60, "a")]], [[(0, 0, "a")]]])
def test_without_an_ordered_pair_in_the_truth_everything_is_undefined(truth):
    levels = random_nested(60, 0)
    for agreement in (
        t_measure(levels, truth, duration=60, transitive=True),
        t_measure(levels, truth, duration=60, transitive=False),
        l_measure(levels, truth, duration=60),
    ):
        assert all(math.isnan(part) for part in parts(agreement))


@pytest.mark.parametrize("levels", [[[(0, 60)]], []])
def test_a_prediction_without_boundaries_has_zero(levels):
    truth = [[(0, 30, "a"), (30, 60, "b")]]
    assert parts(t_measure(levels, truth, duration=60, transitive=True)) == (0, 0, 0)
    assert parts(l_measure(levels, truth, duration=60)) == (0, 0, 0)


def test_a_video_shorter_than_a_frame_is_undefined():
    truth = [[(0, 0.1, "a"), (0.1, 0.3, "b")]]
    assert math.isnan(t_measure(truth, truth, duration=0.3, transitive=True).f1)
    assert math.isnan(l_measure(truth, truth, duration=0.3).f1)


def test_a_label_that_returns_joins_its_events_in_the_l_measure():
    truth = [[(0, 20, "stir"), (20, 40, "cut"), (40, 60, "stir")]]
    known = [[(0, 20, "x"), (20, 40, "y"), (40, 60, "x")]]
    assert l_measure(known, truth, duration=60).f1 == 1
    assert l_measure([[event[:2] for event in known[0]]], truth, duration=60).recall < 1


def test_two_gaps_are_not_alike():
    truth = [[(10, 20, "a"), (40, 50, "a")]]
    joined = [[(0, 10, "gap"), (10, 20, "a"), (20, 40, "gap"), (40, 50, "a"), (50, 60, "gap")]]
    apart = [[(0, 10, "1"), (10, 20, "a"), (20, 40, "2"), (40, 50, "a"), (50, 60, "3")]]
    assert l_measure(apart, truth, duration=60).f1 == 1
    assert l_measure(joined, truth, duration=60).f1 < 1


def test_impossible_arguments_are_refused():
    level = [[(0.0, 5.0), (5.0, 10.0)]]
    with pytest.raises(StreamerError, match="shorter than the frame_size"):
        t_measure(level, level, duration=10, window=0.2, transitive=True)
    with pytest.raises(StreamerError, match="frame_size is 0"):
        l_measure(level, level, duration=10, frame_size=0)
    with pytest.raises(TruthError, match="annotation"):
        t_measure(level, [[(3, 2, "a")]], duration=10, transitive=True)
