"""Boundary scores against recorded figures of mir_eval, and the degenerate cases."""

import json
import math
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.metrics import boundary_deviation, boundary_scores, interior_boundaries

RECORDED = json.loads((Path(__file__).parent / "vectors" / "std_metric_vectors.json").read_text())
CASES = [case for case in RECORDED["boundary_cases"] if case["ground_truth"]]


@pytest.mark.parametrize("tolerance", [0.5, 3.0])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_figures_are_reproduced(case, tolerance):
    scores = boundary_scores(
        case["prediction"], case["ground_truth"], duration=case["duration"], tolerance=tolerance
    )
    expected = case[f"mir_eval_hit@{tolerance}_trim"]
    assert scores.precision == pytest.approx(expected["p"], abs=1e-12)
    assert scores.recall == pytest.approx(expected["r"], abs=1e-12)
    assert scores.f1 == pytest.approx(expected["f"], abs=1e-12)


@pytest.mark.parametrize("predicted", [[], [3.0]])
def test_without_annotated_boundary_everything_is_undefined(predicted):
    scores = boundary_scores(predicted, [], duration=10, tolerance=0.5)
    assert all(math.isnan(value) for value in (scores.precision, scores.recall, scores.f1))


def test_without_predicted_boundary_everything_is_zero():
    scores = boundary_scores([], [3.0, 6.0], duration=10, tolerance=0.5)
    assert (scores.precision, scores.recall, scores.f1) == (0, 0, 0)


def test_tolerance_is_inclusive():
    assert boundary_scores([2.5], [2.0], duration=10, tolerance=0.5).f1 == 1
    assert boundary_scores([2.51], [2.0], duration=10, tolerance=0.5).f1 == 0


times = st.lists(st.integers(1, 199), max_size=30, unique=True).map(lambda xs: [x / 2 for x in xs])


@given(times, times, st.sampled_from([0.5, 3.0]))
def test_exchanging_prediction_and_truth_exchanges_precision_and_recall(one, other, tolerance):
    if not one or not other:
        return
    scores = boundary_scores(one, other, duration=100, tolerance=tolerance)
    swapped = boundary_scores(other, one, duration=100, tolerance=tolerance)
    assert scores.precision == pytest.approx(swapped.recall)
    assert scores.f1 == pytest.approx(swapped.f1)


def test_interior_boundaries_of_gaps_overlaps_and_disorder():
    segments = [(6.0, 10.0, "c"), (0.0, 3.0, "a"), (2.0, 4.0, "b"), (4.0, 5.0, "b")]
    np.testing.assert_array_equal(interior_boundaries(segments, 10.0), [2, 3, 4, 5, 6])


def test_times_at_the_ends_of_the_video_are_not_interior():
    segments = [(0.0, 0.04), (0.04, 81.0)]
    assert interior_boundaries(segments, 81.04).tolist() == []
    assert interior_boundaries([(0.0, 90.0)], 81.04).tolist() == []
    assert interior_boundaries([], 81.04).tolist() == []


def test_round_off_does_not_double_a_boundary():
    assert interior_boundaries([(0.0, 0.1 + 0.2), (0.3, 1.0)], 1.0).tolist() == [0.3]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_deviations_are_reproduced(case):
    deviation = boundary_deviation(case["prediction"], case["ground_truth"])
    figures = [deviation.truth_to_predicted_s, deviation.predicted_to_truth_s]
    if case["prediction"]:
        assert figures == pytest.approx(case["mir_eval_deviation_trim_ref2est_est2ref"], abs=1e-12)
    else:
        assert all(math.isnan(figure) for figure in figures)


@given(times.filter(len), times.filter(len))
def test_deviation_is_that_of_mir_eval(predicted, truth):
    tilings = [np.array([0, *sorted(side), 100.0]) for side in (truth, predicted)]
    expected = mir_eval.segment.deviation(
        *[np.column_stack([edges[:-1], edges[1:]]) for edges in tilings], trim=True
    )
    deviation = boundary_deviation(predicted, truth)
    assert (deviation.truth_to_predicted_s, deviation.predicted_to_truth_s) == pytest.approx(expected)


def test_deviation_is_undefined_unless_both_have_boundaries():
    for sides in (([], [1.0]), ([1.0], []), ([], [])):
        assert math.isnan(boundary_deviation(*sides).truth_to_predicted_s)
        assert math.isnan(boundary_deviation(*sides).predicted_to_truth_s)
