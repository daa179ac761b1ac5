"""Scores of one video's hierarchy beside those of the blind floors, and their summary over videos.

Everything is a tidy row: one value of one metric, of one predictor, against one level of annotation. An
undefined value is nan; means leave it out and the summary counts it.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd
from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.evaluation.scores import TRUTH, Score, scores_frame
from pipelines.truth import clip_to_duration
from streamer.metrics import (
    LabelledSegment,
    Segment,
    boundary_scores,
    dyadic_grid,
    fixed_period,
    hierarchical_level_reduction,
    interior_boundaries,
    random_nested,
    uniform,
)

PREDICTORS = ("streamer", "fixed_period", "uniform", "dyadic_grid", "random_nested")
TOLERANCES = (0.5, 3.0)
"""Seconds within which boundaries match."""

FIXED_PERIOD = 2.0
"""Seconds; the best of 1, 2, 3 and 5 s on EPIC-KITCHENS-100, so the strongest floor of its kind."""

RANDOM_DRAWS = 5
RANKING = "boundary_f1@0.5s"
"""The metric whose mean over videos chooses a predictor's best level."""

BEST_LEVEL = "best_level_"
"""Prefix of the metrics of the level that was chosen so, with knowledge of the annotation."""

TABLE_WIDTH = 96
SUMMARY_COLUMNS = ("truth_level", "predictor", "level", "metric", "mean", "videos", "undefined")


Measures = dict[tuple[int | None, str], float]
"""Values by level (None for the whole hierarchy) and metric."""


def score_video(
    video_id: str,
    levels: Sequence[Sequence[Segment]],
    truth_levels: Mapping[str, Sequence[LabelledSegment]],
    *,
    duration: float,
    fps: float,
    seed: int,
) -> list[Score]:
    """Scores a hierarchy and the floors against every level of annotation of one video.

    Annotations that reach past the end of the video are cut there and counted. The uniform floor is told
    the true number of events; the random floor is the mean of `RANDOM_DRAWS` draws.

    Args:
        video_id: the video; with `seed` it determines the random floor.
        levels: predicted events in seconds, finest level first, every level tiling the video.
        truth_levels: per level of annotation its events in seconds.
        duration: length of the video in seconds.
        fps: frames per second of the video, on which the MoF is counted.
        seed: seed of the run.

    Returns:
        Scores ordered by level of annotation, predictor and level.
    """
    draws = [random_nested(duration, _draw_seed(seed, video_id, draw)) for draw in range(RANDOM_DRAWS)]
    scores: list[Score] = []
    for name, given in truth_levels.items():
        truth, clipped = clip_to_duration(given, duration)
        candidates = {
            "streamer": [levels],
            "fixed_period": [fixed_period(duration, FIXED_PERIOD)],
            "uniform": [uniform(duration, max(1, len(truth)))],
            "dyadic_grid": [dyadic_grid(duration)],
            "random_nested": draws,
        }
        counts = {"events": float(len(truth)), "events_clipped": float(clipped)}
        scores += [Score(video_id, TRUTH, name, None, metric, value) for metric, value in counts.items()]
        for predictor in PREDICTORS:
            measured = [_measure(c, truth, duration=duration, fps=fps) for c in candidates[predictor]]
            scores += [
                Score(
                    video_id,
                    predictor,
                    name,
                    level,
                    metric,
                    float(np.mean([m[level, metric] for m in measured])),
                )
                for level, metric in measured[0]
            ]
    return scores


def _draw_seed(seed: int, video_id: str, draw: int) -> int:
    """A seed that depends on nothing but its arguments, in any process and on any version of Python."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{draw}/{video_id}".encode()).digest()[:8], "big")


def _measure(
    levels: Sequence[Sequence[Segment]],
    truth: Sequence[LabelledSegment],
    *,
    duration: float,
    fps: float,
) -> Measures:
    reduction = hierarchical_level_reduction(levels, truth, duration=duration, fps=fps)
    measured: Measures = {(None, "hlr_iou"): reduction.iou, (None, "hlr_mof"): reduction.mof}
    annotated = interior_boundaries(truth, duration)
    for index, level in enumerate(levels):
        measured[index, "events"] = float(len(level))
        predicted = interior_boundaries(level, duration)
        for tolerance in TOLERANCES:
            agreement = boundary_scores(predicted, annotated, duration=duration, tolerance=tolerance)
            for part, value in asdict(agreement).items():
                measured[index, f"boundary_{part}@{tolerance:g}s"] = value
    return measured


def summarise(scores: Iterable[Score]) -> pd.DataFrame:
    """Means over videos.

    Besides a row per metric and level, every predictor has rows whose metric begins with "best_level_": F1
    at every tolerance, and the number of events, of the one level with the highest mean F1 at 0.5 s. That
    level is chosen with the annotation in hand, among the levels that exist in the most videos (upper
    levels may exist in long videos alone, and a mean over those would not compare).

    Args:
        scores: scores of any number of videos.

    Returns:
        Columns truth_level, predictor, level (Int64, null for the whole hierarchy), metric, mean (over
        the videos where the value is defined; nan if there are none), videos (how many those are) and
        undefined (in how many videos it is not), in order of first appearance.
    """
    table = scores_frame(scores)
    groups = table.groupby(["truth_level", "predictor", "level", "metric"], sort=False, dropna=False)["value"]
    summary = groups.agg(mean="mean", videos="count", rows="size").reset_index()
    summary["undefined"] = summary.pop("rows") - summary["videos"]
    best = [_best_level(rows) for _, rows in summary.groupby(["truth_level", "predictor"], sort=False)]
    rows = [summary, *(chosen for chosen in best if not chosen.empty)]
    return pd.concat(rows, ignore_index=True).loc[:, list(SUMMARY_COLUMNS)]


def _best_level(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the best level of one predictor against one level of annotation; none if nothing is defined."""
    ranked = rows.loc[(rows["metric"] == RANKING) & rows["mean"].notna()]
    if ranked.empty:
        return ranked
    ranked = ranked.loc[ranked["videos"] == ranked["videos"].max()]
    level = ranked.loc[ranked["mean"].idxmax(), "level"]
    of_level = rows.loc[(rows["level"] == level) & rows["metric"].str.contains(r"^events$|_f1@")]
    return of_level.assign(metric=BEST_LEVEL + of_level["metric"])


def render_table(summary: pd.DataFrame) -> Table:
    """Lays a summary out for a terminal of 100 columns.

    Args:
        summary: what `summarise` returned.

    Returns:
        Per level of annotation a table of the predictors and one of every level of "streamer".
    """
    page = Table.grid()
    for name, rows in summary.groupby("truth_level", sort=False):
        page.add_row(Padding(_predictor_table(str(name), rows), (0, 0, 1, 0)))
        page.add_row(Padding(_level_table(str(name), rows), (0, 0, 1, 0)))
    return page


def _predictor_table(name: str, rows: pd.DataFrame) -> Table:
    table = _table(f"Scores against the annotated level {name!r}", caption=_caption(rows))
    headers = ("HLR IoU", "HLR MoF", "best level", "F1@0.5s", "F1@3s", "events")
    for header in headers:
        table.add_column(header, justify="right")
    best_f1 = [f"{BEST_LEVEL}boundary_f1@{tolerance:g}s" for tolerance in TOLERANCES]
    for predictor in PREDICTORS:
        own = rows[rows["predictor"] == predictor].set_index("metric")
        means = own["mean"].to_dict()
        level = str(own.loc[BEST_LEVEL + "events", "level"]) if BEST_LEVEL + "events" in own.index else "-"
        whole = [_number(means, metric) for metric in ("hlr_iou", "hlr_mof")]
        best = [_number(means, metric) for metric in best_f1]
        events = _number(means, BEST_LEVEL + "events", digits=1)
        table.add_row(
            predictor, *whole, level, *best, events, style="bold cyan" if predictor == PREDICTORS[0] else None
        )
    return table


def _level_table(name: str, rows: pd.DataFrame) -> Table:
    table = _table(f"Levels of {PREDICTORS[0]} against {name!r}")
    own = rows.loc[(rows["predictor"] == PREDICTORS[0]) & ~rows["metric"].str.startswith(BEST_LEVEL)]
    for tolerance in TOLERANCES:
        for part in ("P", "R", "F1"):
            table.add_column(f"{part}@{tolerance:g}s", justify="right")
    table.add_column("events", justify="right")
    table.add_column("videos", justify="right")
    for level, of_level in own.loc[own["level"].notna()].groupby("level"):
        means = of_level.set_index("metric")["mean"].to_dict()
        cells = [
            _number(means, f"boundary_{part}@{tolerance:g}s")
            for tolerance in TOLERANCES
            for part in ("precision", "recall", "f1")
        ]
        events, videos = _number(means, "events", digits=1), str(of_level["videos"].max())
        table.add_row(f"level {level}", *cells, events, videos)
    return table


def _table(title: str, caption: str | None = None) -> Table:
    # Text, not markup: names of levels come from outside and may hold brackets.
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        caption=Text(caption, style="dim") if caption else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        width=TABLE_WIDTH,
    )
    table.add_column("", no_wrap=True, min_width=len(max(PREDICTORS, key=len)))
    return table


def _caption(rows: pd.DataFrame) -> str:
    annotated = rows[rows["predictor"] == TRUTH].set_index("metric")
    videos = int(annotated.loc["events", "videos"])
    events = _number(annotated["mean"].to_dict(), "events", digits=1)
    lines = [
        f"Means over {_videos(videos)} with {events} annotated events each.",
        "Best level: highest mean F1@0.5s, chosen knowing the annotation; F1 and events are of it.",
    ]
    clipped = round(annotated.loc["events_clipped", "mean"] * videos)
    if clipped:
        lines.append(f"Annotated events cut at the end of their video, past which they reach: {clipped}.")
    for shown, start in (("HLR IoU", "hlr_iou"), ("HLR MoF", "hlr_mof"), ("Boundary scores", "boundary_")):
        undefined = int(rows.loc[rows["metric"].str.startswith(start), "undefined"].max())
        if undefined:
            lines.append(f"{shown}: undefined in {_videos(undefined)}, which the means leave out.")
    return "\n".join(lines)


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count} videos"


def _number(means: Mapping[str, float], metric: str, digits: int = 3) -> str:
    value = means.get(metric, math.nan)
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
