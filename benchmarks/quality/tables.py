"""Scores as tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from benchmarks.quality.scoring import SIGNAL
from pipelines.evaluation.scores import ALL_LEVELS
from pipelines.evaluation.summary import BEST_LEVEL, summarise
from streamer.metrics import bootstrap_interval, pooled_interval

SEED = 0
"""Of the bootstrap."""

AREAS = (
    "auc cut, whole",
    "auc fade, whole",
    "auc cut+fade, first minute",
    "auc change, whole",
    "auc pattern, whole",
    "auc pattern, after 10 min",
    "auc all, whole",
)


def render(scores: pd.DataFrame, levels: Sequence[str], seeds: Mapping[str, int]) -> str:
    """All tables of a set of videos.

    Args:
        scores: as `pipelines.evaluation.scores.scores_frame` makes them, with `SIGNAL` as a level.
        levels: of annotation, finest first.
        seeds: how many runs stand behind a predictor, where there is more than one.
    """
    videos = sorted(set(scores["video_id"]))
    names = {
        name: f"{name} ({seeds[name]} seeds)" if seeds.get(name, 1) > 1 else name for name in _order(scores)
    }
    parts = [f"{len(videos)} videos: {', '.join(videos)}", _areas(scores, names)]
    parts += [_whole(scores, names)]
    parts += [_boundaries(scores, level, names) for level in levels]
    return "\n\n".join(part for part in parts if part) + "\n"


def _order(scores: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(scores["predictor"]))


def _areas(scores: pd.DataFrame, names: Mapping[str, str]) -> str:
    """Areas of the signals, pooled over pairs of the same video."""
    of_signal = scores.loc[scores["truth_level"] == SIGNAL]
    shown = [name for name in AREAS if of_signal.loc[of_signal["metric"] == name, "value"].notna().any()]
    if not shown:
        return ""
    rows = []
    for predictor in dict.fromkeys(of_signal["predictor"]):
        own = of_signal.loc[of_signal["predictor"] == predictor]
        cells = [pooled_text(own.loc[own["metric"] == name]) for name in shown]
        rows.append([names[predictor], *cells])
    heads = [name.removeprefix("auc ") for name in shown]
    return "Area under the ROC curve of the signal\n\n" + markdown(["signal", *heads], rows)


def _whole(scores: pd.DataFrame, names: Mapping[str, str]) -> str:
    rows = []
    for predictor, shown in names.items():
        own = scores.loc[scores["predictor"] == predictor]
        trees = own.loc[own["truth_level"] == ALL_LEVELS]
        lengths = own.loc[(own["metric"] == "event_length_mean_s") & own["level"].notna()]
        first = lengths.loc[lengths["truth_level"] == lengths["truth_level"].iloc[0]]
        means = first.groupby("level")["value"].mean()
        rows.append(
            [
                shown,
                *(
                    mean_text(trees.loc[trees["metric"] == metric])
                    for metric in ("t_full_f1", "t_reduced_f1")
                ),
                mean_text(own.loc[own["metric"] == "symmetric_f1"]),
                mean_text(own.loc[own["metric"] == "hlr_iou"]),
                " / ".join(f"{length:.1f}" for length in means),
            ]
        )
    heads = [
        "predictor",
        "T full",
        "T reduced",
        "symmetric F1",
        "HLR IoU",
        "mean seconds per event, by level",
    ]
    return "Whole hierarchies\n\n" + markdown(heads, rows)


def _boundaries(scores: pd.DataFrame, level: str, names: Mapping[str, str]) -> str:
    of_level = scores.loc[scores["truth_level"] == level]
    if of_level.empty:
        return ""
    best = best_levels(of_level)
    rows = []
    for predictor, name in names.items():
        own = of_level.loc[of_level["predictor"] == predictor]
        if predictor not in best:
            continue
        chosen = own.loc[own["level"] == best[predictor]]
        rows.append(
            [
                name,
                str(best[predictor]),
                *(mean_text(chosen.loc[chosen["metric"] == f"boundary_f1@{at}s"]) for at in ("0.5", "1")),
                *(
                    mean_text(chosen.loc[chosen["metric"] == f"boundary_{part}@0.5s"], interval=False)
                    for part in ("precision", "recall")
                ),
                mean_text(own.loc[own["metric"] == "nearest_count_boundary_f1@0.5s"], interval=False),
                mean_text(own.loc[own["metric"] == "nearest_count_boundary_f1@1s"], interval=False),
            ]
        )
    heads = [
        "predictor",
        "best level",
        "F1@0.5",
        "F1@1",
        "P@0.5",
        "R@0.5",
        "F1@0.5, nearest count",
        "F1@1, nearest count",
    ]
    return f"Boundaries of level `{level}`\n\n" + markdown(heads, rows)


def best_levels(of_level: pd.DataFrame) -> dict[str, int]:
    """Each predictor's level with the highest mean F1 at half a second, against one level of annotation."""
    best = summarise(of_level)
    best = best.loc[best["metric"] == BEST_LEVEL + "boundary_f1@0.5s"]
    return {name: int(level) for name, level in zip(best["predictor"], best["level"], strict=True)}


def mean_text(rows: pd.DataFrame, *, interval: bool = True) -> str:
    """Mean over videos with its interval; of several rows of a video their mean."""
    if rows.empty:
        return "-"
    per_video = rows.groupby("video_id")["value"].mean()
    found = bootstrap_interval(np.asarray(per_video, np.float64), seed=SEED)
    return _text(found.mean, found.low, found.high) if interval else _text(found.mean)


def pooled_text(rows: pd.DataFrame) -> str:
    """Sum of numerators over sum of denominators, with its interval over videos."""
    if rows.empty or not rows["denominator"].sum() > 0:
        return "-"
    found = pooled_interval(rows["numerator"].to_numpy(), rows["denominator"].to_numpy(), seed=SEED)
    return _text(found.mean, found.low, found.high)


def _text(value: float, low: float = math.nan, high: float = math.nan) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if math.isnan(low) else f"{value:.3f} [{low:.2f}, {high:.2f}]"


def markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
