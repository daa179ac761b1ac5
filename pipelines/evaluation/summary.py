"""Scores of many videos in one line each: means, pooled values, and each predictor's best level."""

from __future__ import annotations

import numpy as np
import pandas as pd

RANKING = "boundary_f1@0.5s"
"""The metric whose mean over videos chooses a predictor's best level."""

BEST_LEVEL = "best_level_"
"""Prefix of the metrics of the level that was chosen so, with knowledge of the annotation."""

SUMMARY_COLUMNS = (
    "truth_level",
    "predictor",
    "level",
    "metric",
    "mean",
    "pooled",
    "videos",
    "undefined",
)
_KEYS = ["truth_level", "predictor", "level", "metric"]


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Sums up scores over videos.

    Besides a row per metric and level, every predictor has rows whose metric begins with "best_level_": all
    metrics of the one level with the highest mean boundary F1 at 0.5 s. That level is chosen with the
    annotation in hand, among the levels that exist in the most videos (upper levels may exist in long videos
    alone, and a mean over those would not compare).

    Args:
        scores: scores of any number of videos, as `scores_frame` or `read_scores` gives them.

    Returns:
        Columns truth_level, predictor, level (Int64, null for the whole hierarchy), metric, mean (over the
        videos where the value is defined; nan if there are none), pooled (sum of the numerators by the sum of
        the denominators over those videos; nan for a metric that is no share), videos (how many those are)
        and undefined (in how many videos it is not), in order of first appearance. A value that is of all
        videos together is its own mean, with videos and undefined null.
    """
    groups = scores.assign(of_videos=scores["video_id"].notna()).groupby(_KEYS, sort=False, dropna=False)
    summary = groups.agg(
        mean=("value", "mean"),
        numerator=("numerator", "sum"),
        denominator=("denominator", "sum"),
        videos=("value", "count"),
        rows=("value", "size"),
        of_videos=("of_videos", "all"),
    ).reset_index()
    summary["pooled"] = summary["numerator"] / summary["denominator"].replace(0.0, np.nan)
    summary["undefined"] = summary["rows"] - summary["videos"]
    for count in ("videos", "undefined"):
        summary[count] = summary[count].astype("Int64").where(summary["of_videos"])
    summary = summary.loc[:, list(SUMMARY_COLUMNS)]
    best = [_best_level(rows) for _, rows in summary.groupby(["truth_level", "predictor"], sort=False)]
    return pd.concat([summary, *(chosen for chosen in best if not chosen.empty)], ignore_index=True)


def _best_level(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the best level of one predictor against one level of annotation; none if nothing is defined."""
    ranked = rows.loc[(rows["metric"] == RANKING) & rows["mean"].notna()]
    if ranked.empty:
        return ranked
    ranked = ranked.loc[ranked["videos"] == ranked["videos"].max()]
    level = ranked.loc[ranked["mean"].idxmax(), "level"]
    of_level = rows.loc[rows["level"] == level]
    return of_level.assign(metric=BEST_LEVEL + of_level["metric"])
