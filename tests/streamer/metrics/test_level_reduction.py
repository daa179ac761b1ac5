"""The level reduction against the published scorer's recorded results, and its defined edge cases."""

import csv
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import HierarchyError, StreamerError, TruthError
from streamer.metrics import dyadic_grid, fixed_period, hierarchical_level_reduction, random_nested, uniform

RECORDED = json.loads((Path(__file__).parent / "vectors" / "hlr_vectors.json").read_text())
CASES = {case["name"]: case for case in RECORDED["cases"] + RECORDED["fuzz_cases"]}
SCORED = [name for name, case in CASES.items() if not case.get("error")]
EPIC = Path(__file__).resolve().parents[4] / "shared" / "annotations" / "epic-kitchens-100"


def score(case):
    return hierarchical_level_reduction(
        case["layers"],
        case["ground_truth"],
        duration=case["duration"],
        fps=case["fps"],
        merge=case["merge_annots"],
    )


def test_every_recorded_case_is_here():
    assert len(CASES) == 53
    assert len(SCORED) == 48


@pytest.mark.parametrize("name", SCORED)
def test_recorded_result_is_reproduced(name):
    case = CASES[name]
    result = score(case)
    if case["iou"] is None:
        assert math.isnan(result.iou)
    else:
        assert result.iou == pytest.approx(case["iou"], abs=1e-12, rel=0)
    assert result.mof == pytest.approx(case["mof"], abs=1e-12, rel=0)
    assert [list(segment) for segment in result.selected] == case["selected"]


def test_event_across_its_parents_end_is_cut_there():
    result = score(CASES["misaligned_ends"])
    assert result.selected == [(0.0, 3.0), (3.0, 4.0), (5.0, 8.0), (8.0, 10.0)]
    assert result.iou == pytest.approx((1.0 + 0.5 + 2.0) / 4)
    assert result.mof == pytest.approx(0.9)


def test_event_across_several_ends_is_cut_at_each():
    truth = [(0, 1, "a"), (1, 2, "b"), (2, 4, "c"), (4, 5, "d"), (5, 7, "e")]
    levels = [[(0, 1), (1, 6)], [(0, 2), (2, 4), (4, 6)]]
    result = hierarchical_level_reduction(levels, truth, duration=7, fps=10)
    assert result.selected == [(0, 1), (1, 2), (2, 4), (4, 6)]


def test_parent_without_events_left_below_counts_as_childless():
    result = score(CASES["lower_exhausted"])
    assert result.selected == [(0.0, 2.0), (2.0, 3.0), (4.0, 8.0)]
    assert result.iou == pytest.approx((0.75 + 1.0) / 2)


def test_parent_whose_children_meet_no_annotation_is_kept_itself():
    result = score(CASES["zero_children_contenders"])
    assert result.selected == [(0.0, 10.0)]
    assert result.iou == pytest.approx(0.3)


def test_zero_length_overlaps_nothing():
    result = score(CASES["zero_length"])
    assert math.isnan(result.iou)
    assert result.selected == []


def test_no_event_at_all_is_refused():
    with pytest.raises(HierarchyError, match="no level has an event"):
        score(CASES["no_predictions"])


def test_without_annotations_both_figures_are_undefined():
    result = hierarchical_level_reduction([[(0, 5)]], [], duration=5, fps=10)
    assert math.isnan(result.iou)
    assert math.isnan(result.mof)


def test_shorter_than_a_frame_has_no_mof():
    result = hierarchical_level_reduction([[(0, 0.01)]], [(0, 0.01, "a")], duration=0.01, fps=10)
    assert result.iou == 1
    assert math.isnan(result.mof)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([[(0, 5), (5, 4)]], "level 0, event 1, from 5.0 to 4.0 s"),
        ([[(0, 2)], [(-1, 2)]], "level 1, event 0"),
        ([[(0, math.nan)]], "finite"),
        ([[(5, 10), (0, 5)]], "level 0, event 1: out of time order"),
    ],
)
def test_impossible_levels_are_refused(levels, message):
    with pytest.raises(HierarchyError, match=message):
        hierarchical_level_reduction(levels, [(0, 1, "a")], duration=10, fps=10)


@pytest.mark.parametrize("event", [(2, 1, "a"), (-1, 1, "a"), (0, math.inf, "a"), (math.nan, 1, "a")])
def test_impossible_annotations_are_refused(event):
    with pytest.raises(TruthError, match="'a'"):
        hierarchical_level_reduction([[(0, 1)]], [event], duration=10, fps=10)


@pytest.mark.parametrize(("duration", "fps"), [(0, 10), (math.nan, 10), (10, 0), (10, math.inf)])
def test_impossible_duration_or_rate_is_refused(duration, fps):
    with pytest.raises(StreamerError, match="positive"):
        hierarchical_level_reduction([[(0, 1)]], [(0, 1, "a")], duration=duration, fps=fps)


def interval_lists(smallest=1):
    """Sorted times on a coarse grid, so that ties and shared ends are common."""
    return st.lists(st.integers(1, 39), min_size=smallest, max_size=12, unique=True).map(
        lambda times: list(zip([0, *sorted(times)], [*sorted(times), 40], strict=True))
    )


@given(st.lists(interval_lists(), min_size=1, max_size=4), interval_lists())
def test_any_levels_are_scored_within_bounds_and_keep_disjoint_events(levels, truth):
    labelled = [(start, end, "a") for start, end in truth]
    result = hierarchical_level_reduction(levels, labelled, duration=40, fps=2)
    assert 0 < result.iou <= 1
    assert 0 <= result.mof <= 1
    assert all(before[1] <= after[0] for before, after in pairwise(result.selected))


@given(interval_lists(), interval_lists())
def test_one_level_equals_the_definition_by_brute_force(level, truth):
    best: dict[int, float] = {}
    for start, end in truth:
        ious = [max(0, min(e, end) - max(s, start)) / (max(e, end) - min(s, start)) for s, e in level]
        winner = ious.index(max(ious))
        best[winner] = max(best.get(winner, 0), ious[winner])
    result = hierarchical_level_reduction([level], [(*event, "a") for event in truth], duration=40, fps=1)
    assert result.iou == pytest.approx(np.mean(list(best.values())), abs=1e-12)
    assert result.selected == [level[index] for index in sorted(best)]


@given(interval_lists())
def test_exact_finest_level_scores_one(truth):
    labelled = [(start, end, "a") for start, end in truth]
    result = hierarchical_level_reduction([truth, [(0, 40)]], labelled, duration=40, fps=2)
    assert (result.iou, result.mof) == (1, 1)


def epic_seconds(text):
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def epic_validation():
    with (EPIC / "EPIC_100_video_info.csv").open() as file:
        durations = {row["video_id"]: float(row["duration"]) for row in csv.DictReader(file)}
    videos: dict[str, list[tuple[float, float, str]]] = {}
    with (EPIC / "EPIC_100_validation.csv").open() as file:
        for row in csv.DictReader(file):
            event = (
                epic_seconds(row["start_timestamp"]),
                epic_seconds(row["stop_timestamp"]),
                row["narration"],
            )
            videos.setdefault(row["video_id"], []).append(event)
    return durations, videos


@pytest.mark.skipif(not EPIC.is_dir(), reason="the EPIC-KITCHENS-100 annotations are not beside the project")
@pytest.mark.parametrize(
    ("floor", "iou", "mof", "slack"),
    [
        (lambda duration, _: [[(0.0, duration)]], 0.122, 0.686, 5e-4),
        (lambda duration, _: fixed_period(duration, 1), 0.415, 0.500, 5e-4),
        (lambda duration, _: fixed_period(duration, 2), 0.466, 0.584, 5e-4),
        (lambda duration, _: fixed_period(duration, 5), 0.428, 0.667, 5e-4),
        (uniform, 0.432, 0.662, 5e-4),
        (lambda duration, _: dyadic_grid(duration), 0.504, 0.702, 5e-4),
        (lambda duration, _: random_nested(duration, 0), 0.466, 0.696, 0.01),
    ],
    ids=["one", "period1", "period2", "period5", "uniform", "dyadic", "random"],
)
def test_floors_on_real_annotations_have_their_known_scores(floor, iou, mof, slack):
    durations, videos = epic_validation()
    results = [
        hierarchical_level_reduction(
            floor(durations[video_id], len(events)),
            events,
            duration=durations[video_id],
            fps=59.94 if len(video_id.split("_")[-1]) == 2 else 50.0,
        )
        for video_id, events in videos.items()
    ]
    assert np.mean([result.iou for result in results]) == pytest.approx(iou, abs=slack)
    assert np.mean([result.mof for result in results]) == pytest.approx(mof, abs=slack)
