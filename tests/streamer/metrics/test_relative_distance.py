"""F1@Rel.Dis against recorded figures of the challenge's scorer, and its properties."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import StreamerError
from streamer.metrics import THRESHOLDS, relative_distance_f1

RECORDED = json.loads((Path(__file__).parent / "vectors" / "std_metric_vectors.json").read_text())
CASES = RECORDED["boundary_cases"]


def score(case, threshold):
    return relative_distance_f1(
        case["prediction"], case["ground_truth"], duration=case["duration"], threshold=threshold
    )


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.2, 0.3, 0.5])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_figures_are_reproduced(case, threshold):
    ratio, expected = score(case, threshold), case[f"gebd_f1@{threshold}"]
    assert ratio.value == pytest.approx(expected["f1"], abs=1e-12)
    assert ratio.numerator == 2 * expected["tp"]
    assert ratio.denominator == expected["num_pos"] + expected["num_det"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_means_over_thresholds_are_reproduced(case):
    mean = np.mean([score(case, threshold).value for threshold in THRESHOLDS])
    assert mean == pytest.approx(case["gebd_avg_f1_0.05_0.5"], abs=1e-12)


def test_it_is_undefined_only_without_any_boundary():
    assert math.isnan(relative_distance_f1([], [], duration=10).value)
    assert relative_distance_f1([5], [], duration=10).value == 0
    assert relative_distance_f1([], [5], duration=10).value == 0


def test_threshold_is_inclusive():
    assert relative_distance_f1([4.5], [4.0], duration=10, threshold=0.05).value == 1
    assert relative_distance_f1([4.51], [4.0], duration=10, threshold=0.05).value == 0


def test_boundaries_of_the_truth_choose_in_time_order():
    # 4 takes 4.4, which was nearer to 4.5, and 4.5 takes 5: in any order of the input.
    for truth in ([4.0, 4.5], [4.5, 4.0]):
        assert relative_distance_f1([4.4, 5.0], truth, duration=10).value == 1


times = st.lists(st.integers(1, 199), max_size=20, unique=True).map(lambda xs: [x / 2 for x in xs])


@given(times, times, st.sampled_from(THRESHOLDS))
def test_matches_are_one_to_one(predicted, truth, threshold):
    ratio = relative_distance_f1(predicted, truth, duration=100, threshold=threshold)
    assert 0 <= ratio.numerator <= 2 * min(len(predicted), len(truth))
    assert ratio.denominator == len(predicted) + len(truth)


@given(times, st.sampled_from(THRESHOLDS), st.sampled_from([0.25, 2.0, 64.0]))
def test_it_is_one_for_the_truth_itself_and_does_not_change_with_the_unit_of_time(truth, threshold, scale):
    other = [time + 0.5 for time in truth[::2]]
    scores = [
        relative_distance_f1(
            [t * s for t in other], [t * s for t in truth], duration=100 * s, threshold=threshold
        )
        for s in (1.0, scale)
    ]
    assert scores[0] == scores[1]
    if truth:
        assert relative_distance_f1(truth, truth, duration=100, threshold=threshold).value == 1


@pytest.mark.parametrize(("duration", "threshold"), [(0, 0.05), (10, 0), (math.nan, 0.05), (10, math.inf)])
def test_impossible_arguments_are_refused(duration, threshold):
    with pytest.raises(StreamerError, match="positive"):
        relative_distance_f1([1], [1], duration=duration, threshold=threshold)
