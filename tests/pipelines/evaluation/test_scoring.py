"""Scores of single videos."""

import math

import numpy as np
import pytest

from pipelines.annotations import clip_to_duration
from pipelines.evaluation.predictors import FLOORS
from pipelines.evaluation.scores import ALL_LEVELS
from pipelines.evaluation.scoring import Prediction, Protocol, score_video
from streamer.metrics import random_nested

FINE = [(0.0, 5.0), (5.0, 10.0), (10.0, 25.0), (25.0, 40.0)]
COARSE = [(0.0, 10.0), (10.0, 40.0)]
TRUTH = {
    "motion": [(start, end, "m") for start, end in FINE],
    "scene": [(start, end, "s") for start, end in COARSE],
}


def score(video_id="v", levels=(FINE, COARSE), truth=TRUTH, duration=40.0, **protocol):
    return score_video(Prediction(video_id, levels, duration, fps=25), truth, Protocol(**protocol))


def value(scores, predictor, truth_level, level, metric):
    found = [
        s.value
        for s in scores
        if (s.predictor, s.truth_level, s.level, s.metric) == (predictor, truth_level, level, metric)
    ]
    assert len(found) == 1
    return found[0]


def test_exact_hierarchy_scores_one_at_the_level_that_matches():
    scores = score()
    assert value(scores, "streamer", "motion", None, "hlr_iou") == 1
    assert value(scores, "streamer", "motion", None, "hlr_mof") == 1
    assert value(scores, "streamer", "motion", 0, "boundary_f1@0.5s") == 1
    assert value(scores, "streamer", "motion", 1, "boundary_precision@0.5s") == 1
    assert value(scores, "streamer", "motion", 1, "boundary_recall@0.5s") == pytest.approx(1 / 3)
    assert value(scores, "streamer", "scene", 1, "boundary_f1@3s") == 1
    assert value(scores, "streamer", "scene", 0, "events") == 4


def test_every_predictor_is_scored_against_every_annotated_level():
    pairs = {(s.predictor, s.truth_level) for s in score()}
    assert pairs == {(p, t) for p in ("streamer", *FLOORS, "truth") for t in TRUTH} | {
        (p, ALL_LEVELS) for p in ("streamer", *FLOORS)
    }


def test_uniform_floor_knows_the_true_count():
    scores = score()
    assert value(scores, "uniform", "motion", 0, "events") == 4
    assert value(scores, "uniform", "scene", 0, "events") == 2
    assert value(scores, "fixed_period", "scene", 0, "events") == 20


def test_random_floor_depends_on_seed_and_video_alone():
    def random_rows(**changes):
        return [s.value for s in score(**changes) if s.predictor == "random_nested"]

    assert random_rows() == random_rows(levels=[COARSE])
    assert random_rows() != random_rows(seed=1)
    assert random_rows() != random_rows(video_id="w")


def test_annotations_past_the_end_are_cut_and_counted():
    truth = {"scene": [*TRUTH["scene"][:1], (10.0, 60.0, "s"), (50.0, 60.0, "s")]}
    scores = score(truth=truth)
    assert value(scores, "truth", "scene", None, "events") == 2
    assert value(scores, "truth", "scene", None, "events_clipped") == 2
    assert value(scores, "streamer", "scene", None, "hlr_iou") == 1


def test_annotations_all_past_the_end_leave_scores_undefined():
    scores = score(truth={"scene": [(50.0, 60.0, "s")]})
    assert math.isnan(value(scores, "streamer", "scene", None, "hlr_iou"))
    assert math.isnan(value(scores, "random_nested", "scene", 0, "boundary_f1@3s"))
    assert value(scores, "uniform", "scene", 0, "events") == 1


@pytest.mark.parametrize(
    ("end", "duration", "clipped"),
    [(61.4, 61.39999999, 0), (61.4, 61.3996, 0), (61.4, 61.39, 1), (61.39, 61.4, 0)],
)
def test_rounding_alone_cuts_no_event(end, duration, clipped):
    inside, count = clip_to_duration([(50.0, end, "last")], duration)
    assert inside == [(50.0, min(end, duration), "last")]
    assert count == clipped
    scores = score(levels=[[(0.0, duration)]], truth={"scene": [(50.0, end, "last")]}, duration=duration)
    assert [s.value for s in scores if s.metric == "events_clipped"] == [clipped]


def test_event_left_out_counts_however_short():
    assert clip_to_duration([(10.0, 10.0005, "sliver")], 10.0) == ([], 1)


def test_all_annotated_levels_together_are_one_tree():
    scores = score()
    assert value(scores, "streamer", ALL_LEVELS, None, "t_full_f1") == 1
    assert value(scores, "streamer", ALL_LEVELS, None, "t_reduced_recall") == 1
    assert value(scores, "fixed_period", ALL_LEVELS, None, "t_full_f1") < 1
    assert not any(s.metric.startswith("t_") for s in scores if s.truth_level != ALL_LEVELS)


def test_uniform_floor_knows_the_true_counts_of_the_tree():
    """Equal events on both annotated levels are what the uniform floor makes, so it is exact there."""
    truth = {
        "scene": [(0.0, 20.0, ""), (20.0, 40.0, "")],
        "motion": [(10.0 * n, 10.0 * n + 10.0, "") for n in range(4)],
    }
    assert value(score(truth=truth), "uniform", ALL_LEVELS, None, "t_full_f1") == 1


def test_labels_are_scored_where_there_are_any():
    scores = score(labelled=frozenset({"scene"}), truth={"scene": [(0.0, 10.0, "a"), (10.0, 40.0, "b")]})
    assert value(scores, "streamer", "scene", 1, "frame_accuracy") == 1
    assert value(scores, "streamer", "scene", 0, "edit") == pytest.approx(0.5)
    assert value(scores, "streamer", ALL_LEVELS, None, "l_recall") == 1
    assert 0 < value(scores, "random_nested", "scene", 2, "frame_accuracy") <= 1
    unlabelled = {s.metric for s in score()}
    assert not unlabelled & {"frame_accuracy", "edit", "l_f1"}
    assert not any(s.metric.startswith("clustered_") for s in scores)


def test_representations_are_clustered_for_the_run_alone():
    vectors = [np.eye(4, dtype=np.float32), np.eye(2, dtype=np.float32)]
    prediction = Prediction("v", [FINE, COARSE], 40.0, 25.0, vectors)
    truth = {"motion": [(start, end, "abca"[n]) for n, (start, end) in enumerate(FINE)]}
    scores = score_video(prediction, truth, Protocol(labelled=frozenset(truth)))
    assert {s.predictor for s in scores if s.metric == "clustered_frame_accuracy"} == {"streamer"}
    assert {s.level for s in scores if s.metric == "clustered_edit"} == {0, 1}


def test_background_is_no_event():
    truth = {"scene": [(0.0, 10.0, "SIL"), (10.0, 25.0, "a"), (25.0, 40.0, "SIL")]}
    labelled, background = frozenset(truth), frozenset({"SIL"})
    scores = score(levels=[FINE], truth=truth, labelled=labelled, background=background)
    assert value(scores, "truth", "scene", None, "events") == 1
    assert value(scores, "uniform", "scene", 0, "events") == 1
    assert value(scores, "streamer", "scene", None, "hlr_iou") == 1
    assert value(scores, "streamer", "scene", 0, "boundary_recall@0.5s") == 1
    assert value(scores, "streamer", "scene", 0, "frame_accuracy") == pytest.approx(30 / 40)


def test_lengths_of_events_are_told_of_annotation_and_levels():
    scores = score()
    assert value(scores, "truth", "motion", None, "event_length_mean_s") == 10
    assert value(scores, "streamer", "motion", 1, "event_length_median_s") == 20


def test_relative_distance_is_within_a_twentieth_of_the_duration():
    """Boundaries at 10 s and 11.9 s of 40 s are near enough, at 12.1 s they are not."""
    truth = {"scene": [(0.0, 10.0, ""), (10.0, 40.0, "")]}
    near, far = (score(levels=[[(0.0, cut), (cut, 40.0)]], truth=truth) for cut in (11.9, 12.1))
    assert value(near, "streamer", "scene", 0, "gebd_f1@0.05") == 1
    assert value(far, "streamer", "scene", 0, "gebd_f1@0.05") == 0
    assert value(far, "streamer", "scene", 0, "gebd_f1_mean") == pytest.approx(0.9)
    assert value(far, "streamer", "scene", 0, "boundary_distance_s") == pytest.approx(2.1)


def test_a_share_is_its_numerator_by_its_denominator():
    scores = score(levels=random_nested(40.0, 1), labelled=frozenset(TRUTH))
    shares = [s for s in scores if not math.isnan(s.denominator)]
    assert {"hlr_mof", "symmetric_f1", "gebd_f1_mean", "frame_iou", "boundary_recall@1s"} <= {
        s.metric for s in shares
    }
    for s in shares:
        assert s.value == pytest.approx(s.numerator / s.denominator, nan_ok=True) if s.denominator else True
        assert math.isnan(s.value) == (s.denominator == 0)


def test_precision_of_no_prediction_is_0_and_a_share_of_nothing():
    scores = score(levels=[[(0.0, 40.0)]])
    [precision] = [
        s
        for s in scores
        if (s.predictor, s.truth_level, s.metric) == ("streamer", "motion", "boundary_precision@3s")
    ]
    assert precision.value == 0
    assert math.isnan(precision.denominator)


@pytest.mark.parametrize(
    "truth",
    [[], [(0.0, 40.0, "a")], [(50.0, 60.0, "a")], [(0.0, 40.0, "SIL")], [(3.0, 5.0, "")]],
    ids=["nothing", "whole video", "past the end", "background", "unlabelled"],
)
def test_what_is_undefined_depends_on_the_annotation_alone(truth):
    """Else means over videos would not run over the same videos for every predictor."""
    scores = score(
        levels=[[(0.0, 40.0)]],
        truth={"scene": truth},
        labelled=frozenset({"scene"}),
        background=frozenset({"SIL"}),
    )
    kept = [s for s in scores if s.level in (None, 0) and not s.metric.startswith("boundary_distance")]
    for metric in {s.metric for s in kept if s.predictor == "streamer"}:
        assert len({math.isnan(s.value) for s in kept if s.metric == metric and s.predictor != "truth"}) == 1
