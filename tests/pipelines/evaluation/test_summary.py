"""Scores of many videos in one line each."""

import math

import pandas as pd
import pytest

from pipelines.evaluation.scores import Score, scores_frame
from pipelines.evaluation.summary import summarise


def f1(video_id, level, value, metric="boundary_f1@0.5s", share=(math.nan, math.nan)):
    return Score(video_id, "streamer", "scene", level, metric, value, *share)


def summary_of(scores):
    return summarise(scores_frame(scores))


def row_of(summary, metric, level):
    chosen = summary[(summary["metric"] == metric) & (summary["level"] == level)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_undefined_values_leave_the_mean_and_are_counted():
    summary = summary_of([f1("a", 0, 0.2), f1("b", 0, math.nan), f1("c", 0, 0.4)])
    row = row_of(summary, "boundary_f1@0.5s", 0)
    assert row["mean"] == pytest.approx(0.3)
    assert (row["videos"], row["undefined"]) == (2, 1)
    assert math.isnan(row["pooled"])


def test_shares_are_pooled_over_the_videos_where_they_are_defined():
    scores = [
        f1("a", 0, 0.25, share=(1, 4)),
        f1("b", 0, 1.0, share=(16, 16)),
        f1("c", 0, math.nan, share=(0, 0)),
        f1("d", 0, 0.0),  # defined, but a share of nothing
    ]
    row = row_of(summary_of(scores), "boundary_f1@0.5s", 0)
    assert row["mean"] == pytest.approx(1.25 / 3)
    assert row["pooled"] == 17 / 20
    assert (row["videos"], row["undefined"]) == (3, 1)


def test_value_of_all_videos_is_its_own_mean():
    summary = summary_of([f1(None, 1, 0.75, "knn_accuracy", (3, 4)), f1("a", 1, 0.5)])
    row = row_of(summary, "knn_accuracy", 1)
    assert (row["mean"], row["pooled"]) == (0.75, 0.75)
    assert pd.isna(row["videos"])
    assert pd.isna(row["undefined"])
    assert row_of(summary, "boundary_f1@0.5s", 1)["videos"] == 1


def test_best_level_is_chosen_by_the_mean_and_not_by_video():
    scores = [f1("a", 0, 0.5), f1("b", 0, 0.5), f1("a", 1, 0.8), f1("b", 1, 0.0)]
    scores += [f1(video, 0, 0.7, "boundary_f1@3s") for video in "ab"]
    scores += [f1(video, 1, 0.9, "boundary_f1@3s") for video in "ab"]
    summary = summary_of(scores)
    assert row_of(summary, "best_level_boundary_f1@0.5s", 0)["mean"] == pytest.approx(0.5)
    assert row_of(summary, "best_level_boundary_f1@3s", 0)["mean"] == pytest.approx(0.7)


def test_level_of_few_videos_is_not_the_best():
    summary = summary_of([f1("a", 0, 0.1), f1("b", 0, 0.1), f1("b", 1, 0.9)])
    assert summary[summary["metric"].str.startswith("best_level_")]["level"].tolist() == [0]


def test_nothing_defined_has_no_best_level():
    summary = summary_of([f1("a", 0, math.nan)])
    assert summary["metric"].tolist() == ["boundary_f1@0.5s"]
    assert pd.isna(summary["mean"].iloc[0])
