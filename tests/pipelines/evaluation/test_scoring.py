"""Scores of single videos."""

import math

import pytest

from pipelines.evaluation.predictors import FLOORS
from pipelines.evaluation.scores import ALL_LEVELS
from pipelines.evaluation.scoring import Prediction, Protocol, score_video
from pipelines.truth import clip_to_duration

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
