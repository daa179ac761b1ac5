"""Blind predictors: the floors that stand beside every score, as runs of their own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.annotations import Truth
from pipelines.baselines.blind import annotated_checksum, annotated_events, predict_blind
from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.prediction import UNKNOWN_DIM, make_hierarchy
from pipelines.evaluation.predictors import FIXED_PERIOD, FLOORS, floor_hierarchies
from streamer.errors import TruthError
from tests.pipelines.baselines.watched import known

TRUTH = {"motion": [(0.0, 3.0, "m"), (3.0, 9.0, "n"), (9.0, 70.0, "m"), (90.0, 95.0, "m")]}


def levels_of(name, duration_s, video_id="v", **options):
    config = BaselineConfig(name, ["x"], "out", truth="t" if name == "uniform" else None, **options)
    video = known(duration_s, video_id=video_id)
    hierarchy = make_hierarchy(video, predict_blind(video, config, {video_id: TRUTH["motion"]}))
    hierarchy.validate()
    return [hierarchy.segments(level) for level in range(hierarchy.num_levels)]


@pytest.mark.parametrize("name", FLOORS)
@given(duration_s=st.floats(0.3, 300), video_id=st.text(min_size=1, max_size=3), seed=st.integers(0, 9))
def test_a_run_of_a_floor_is_the_floor_that_stands_beside_scores(name, duration_s, video_id, seed):
    options = {"seed": seed} if name == "random_nested" else {}
    inside = sum(start < duration_s for start, _, _ in TRUTH["motion"])
    floors = floor_hierarchies(video_id, [inside], duration=duration_s, seed=seed)
    assert levels_of(name, duration_s, video_id, **options) == floors[name][0]


def test_the_default_period_is_that_of_the_floor():
    assert BaselineConfig("fixed_period", ["x"], "out").period == FIXED_PERIOD
    assert levels_of("fixed_period", 5.0, period=2.5) == [[(0.0, 2.5), (2.5, 5.0)]]


@pytest.mark.parametrize("name", FLOORS)
def test_what_they_write_has_no_representation(name):
    config = BaselineConfig(name, ["x"], "out", truth="t" if name == "uniform" else None)
    video = known(33.3)
    hierarchy = make_hierarchy(video, predict_blind(video, config, {"v": TRUTH["motion"]}))
    assert hierarchy.dim == UNKNOWN_DIM
    table = hierarchy.to_arrow()
    assert table["representation"].null_count == table.num_rows
    assert table["mean_signal"].null_count == table.num_rows


def test_background_is_no_event():
    truth = Truth(Path("t"), {"a": {"0": [(0.0, 4.0, "SIL"), (4.0, 9.0, "pour")]}}, frozenset({"SIL"}))
    assert annotated_events(truth, None) == {"a": [(4.0, 9.0, "pour")]}


def truth_of(**videos) -> Truth:
    return Truth(Path("truth.csv"), videos)


def test_the_level_of_annotation_is_chosen_where_there_are_several():
    truth = truth_of(a={"clip": [(0.0, 1.0, "x")], "scene": [(0.0, 2.0, "y")]}, b={"clip": [(0.0, 3.0, "z")]})
    with pytest.raises(TruthError, match="has the levels clip, scene: name one with --truth_level"):
        annotated_events(truth, None)
    assert annotated_events(truth, "scene") == {"a": [(0.0, 2.0, "y")]}
    assert list(annotated_events(truth, "clip")) == ["a", "b"]
    with pytest.raises(TruthError, match="has no level 'clips': --truth_level is one of clip, scene"):
        annotated_events(truth, "clips")
    assert annotated_events(truth_of(a={"clip": [(0.0, 1.0, "x")]}), None) == {"a": [(0.0, 1.0, "x")]}


def test_annotations_are_told_apart_by_their_times_alone():
    one = {"a": [(0.0, 1.0, "x")], "b": [(0.0, 2.0, "y")]}
    assert annotated_checksum(one) == annotated_checksum({"b": [(0.0, 2.0, "")], "a": [(0.0, 1.0, "z")]})
    assert annotated_checksum(one) != annotated_checksum({"a": [(0.0, 1.0, "x")]})
    assert annotated_checksum(one) != annotated_checksum({**one, "b": [(0.0, 2.5, "y")]})
