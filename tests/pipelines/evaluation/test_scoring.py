"""Scores of single videos, their summary and its table."""

import math

import pandas as pd
import pytest
from rich.console import Console

from pipelines.evaluation.scores import Score
from pipelines.evaluation.scoring import PREDICTORS, render_table, score_video, summarise
from streamer.metrics import random_nested

FINE = [(0.0, 5.0), (5.0, 10.0), (10.0, 25.0), (25.0, 40.0)]
COARSE = [(0.0, 10.0), (10.0, 40.0)]
TRUTH = {
    "motion": [(start, end, "m") for start, end in FINE],
    "scene": [(start, end, "s") for start, end in COARSE],
}


def score(video_id="v", levels=(FINE, COARSE), truth=TRUTH, duration=40.0, seed=0):
    return score_video(video_id, levels, truth, duration=duration, fps=25, seed=seed)


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
    assert pairs == {(p, t) for p in (*PREDICTORS, "truth") for t in TRUTH}


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


def f1(video_id, level, score_value, metric="boundary_f1@0.5s"):
    return Score(video_id, "streamer", "scene", level, metric, score_value)


def mean_of(summary, metric, level):
    chosen = summary[(summary["metric"] == metric) & (summary["level"] == level)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_undefined_values_leave_the_mean_and_are_counted():
    row = mean_of(summarise([f1("a", 0, 0.2), f1("b", 0, math.nan), f1("c", 0, 0.4)]), "boundary_f1@0.5s", 0)
    assert row["mean"] == pytest.approx(0.3)
    assert (row["videos"], row["undefined"]) == (2, 1)


def test_best_level_is_chosen_by_the_mean_and_not_by_video():
    scores = [f1("a", 0, 0.5), f1("b", 0, 0.5), f1("a", 1, 0.8), f1("b", 1, 0.0)]
    scores += [f1(video, 0, 0.7, "boundary_f1@3s") for video in "ab"]
    scores += [f1(video, 1, 0.9, "boundary_f1@3s") for video in "ab"]
    summary = summarise(scores)
    assert mean_of(summary, "best_level_boundary_f1@0.5s", 0)["mean"] == pytest.approx(0.5)
    assert mean_of(summary, "best_level_boundary_f1@3s", 0)["mean"] == pytest.approx(0.7)


def test_level_of_few_videos_is_not_the_best():
    summary = summarise([f1("a", 0, 0.1), f1("b", 0, 0.1), f1("b", 1, 0.9)])
    assert summary[summary["metric"].str.startswith("best_level_")]["level"].tolist() == [0]


def test_nothing_defined_has_no_best_level():
    summary = summarise([f1("a", 0, math.nan)])
    assert summary["metric"].tolist() == ["boundary_f1@0.5s"]
    assert pd.isna(summary["mean"].iloc[0])


def printed(summary):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render_table(summary))
    return capture.get()


def test_table_fits_and_puts_streamer_first():
    scores = score(levels=random_nested(40.0, 1)) + score(
        "w", random_nested(40.0, 2), {"scene": [(0.0, 41.0, "s")]}
    )
    text = printed(summarise(scores))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    order = [next(i for i, line in enumerate(lines) if line.strip().startswith(p)) for p in PREDICTORS]
    assert order == sorted(order)
    assert "F1@0.5s" in text
    assert "level 2" in text
    assert "cut at the end of their video, past which they reach: 1" in text
    assert "Boundary scores: undefined in 1 video" in text


def test_table_shows_names_of_levels_as_they_are():
    assert "'a[bold]b'" in printed(summarise(score(truth={"a[bold]b": TRUTH["scene"]})))


def test_table_of_undefined_scores_prints():
    assert "HLR IoU: undefined in 1 video" in printed(summarise(score(truth={"scene": [(50.0, 60.0, "s")]})))
