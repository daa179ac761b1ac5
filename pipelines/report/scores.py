"""The scores of a run, for the pages; whatever an evaluation of any version has left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.evaluation.predictors import FLOORS
from pipelines.evaluation.scores import ALL_LEVELS, TRUTH
from pipelines.evaluation.summary import BEST_LEVEL, summarise
from pipelines.report.runs import Run

NEEDED = ("video_id", "predictor", "truth_level", "level", "metric", "value")
SHARES = ("numerator", "denominator")

HEADLINES = (
    "hlr_iou",
    "hlr_mof",
    "symmetric_f1",
    "t_full_f1",
    "boundary_f1@0.5s",
    "boundary_f1@3s",
    "gebd_f1@0.05",
)
"""Metrics that are shown over all videos."""

DECIMALS = 3
"""Of values, as on the pages and in the tables of the terminal: rounding twice would give other figures."""

_COUNTS = ("events", "event_length_")  # how these names begin; the pages tell of events elsewhere


def read_scores(run: Run) -> pd.DataFrame | str | None:
    """The scores of a run.

    Returns:
        The columns of `NEEDED` and `SHARES`; the reason in one line where the file cannot be used; None where
        there is none.
    """
    path = run.folder.evaluation
    if not path.exists():
        return None
    try:
        with pq.ParquetFile(path) as file:
            table = file.read().to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"{path}: cannot be read ({' '.join(str(error).split())}): score the run again"
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        return f"{path}: lacks {', '.join(missing)}: score the run again"
    for name in SHARES:
        if name not in table.columns:
            table[name] = np.nan
    columns = table.loc[:, [*NEEDED, *SHARES]]
    return columns.loc[columns["predictor"] != TRUTH].astype({"level": "Int64"})


class ScoreTable:
    """Scores of one run or two, laid out for the library.

    Args:
        runs: the runs.
        frames: their scores; None where there are none.

    Attributes:
        metrics: what `of_video` has a value of: `truth`, the level of annotation (None where all are taken
            together), `metric`, and whether it is of `levels` or of the whole hierarchy.
        best_levels: per run, by level of annotation, the level of the run that its scores of levels are told
            of; chosen as `streamer evaluate` does.
    """

    def __init__(self, runs: Sequence[Run], frames: Sequence[pd.DataFrame | None]) -> None:
        self._runs = runs
        self._summaries = [None if frame is None else summarise(frame) for frame in frames]
        self._own = [
            None if frame is None else _own_scores(frame, run)
            for run, frame in zip(runs, frames, strict=True)
        ]
        # A dictionary keeps the order in which the evaluation writes them.
        found = {key[1:]: -1 not in own[key] for own in self._own if own is not None for key in own}
        self._names = list(found)
        self.metrics = [
            {"truth": _named(truth), "metric": metric, "levels": found[truth, metric]}
            for truth, metric in self._names
        ]
        self.best_levels = [
            {} if summary is None else _best_levels(summary, run)
            for run, summary in zip(runs, self._summaries, strict=True)
        ]

    def of_video(self, video_id: str) -> list[list[Any] | None]:
        """Per run, per metric: values of the levels, finest first, or one value of the whole hierarchy."""
        rows: list[list[Any] | None] = []
        for own in self._own:
            if own is None:
                rows.append(None)
                continue
            cells = [own.get((video_id, *name)) for name in self._names]
            values = [None if cell is None else _values(cell) for cell in cells]
            rows.append(values if any(values) else None)
        return rows

    def summary(self) -> list[dict[str, Any]]:
        """The means over videos that `streamer evaluate` prints, of the runs and of the floors."""
        rows: list[dict[str, Any]] = []
        for place, (run, summary) in enumerate(zip(self._runs, self._summaries, strict=True)):
            for row in [] if summary is None else summary.to_dict("records"):
                metric = row["metric"].removeprefix(BEST_LEVEL)
                of_a_level = not pd.isna(row["level"])
                own = row["predictor"] == run.predictor
                if metric not in HEADLINES or of_a_level != row["metric"].startswith(BEST_LEVEL):
                    continue
                if pd.isna(row["mean"]) or not (own or row["predictor"] in FLOORS):
                    continue
                rows.append(
                    {
                        "truth": _named(row["truth_level"]),
                        "metric": metric,
                        "predictor": row["predictor"],
                        "run": place,
                        "own": own,
                        "value": round(row["mean"], DECIMALS),
                        "level": int(row["level"]) if of_a_level else None,
                        "videos": None if pd.isna(row["videos"]) else int(row["videos"]),
                    }
                )
        return sorted(rows, key=lambda row: HEADLINES.index(row["metric"]))


def _own_scores(frame: pd.DataFrame, run: Run) -> dict[tuple[str, str, str], dict[int, float]]:
    """The run's own scores of single videos, by video, level of annotation and metric, then by level."""
    own = frame.loc[(frame["predictor"] == run.predictor) & frame["video_id"].notna()]
    own = own.loc[~own["metric"].str.startswith(_COUNTS)]
    columns = [own[name].tolist() for name in ("video_id", "truth_level", "level", "metric", "value")]
    table: dict[tuple[str, str, str], dict[int, float]] = {}
    for video_id, truth, level, metric, value in zip(*columns, strict=True):
        place = -1 if pd.isna(level) else int(level)
        table.setdefault((video_id, truth, metric), {})[place] = value
    return table


def _values(by_level: Mapping[int, float]) -> list[float | None]:
    """One value of the whole hierarchy, or those of the levels from 0 on."""
    places = (-1,) if -1 in by_level else range(max(by_level) + 1)
    values = [by_level.get(place, math.nan) for place in places]
    return [round(value, DECIMALS) if math.isfinite(value) else None for value in values]


def _best_levels(summary: pd.DataFrame, run: Run) -> dict[str, int]:
    own = summary.loc[(summary["predictor"] == run.predictor) & summary["metric"].str.startswith(BEST_LEVEL)]
    return {truth: int(level) for truth, level in zip(own["truth_level"], own["level"], strict=True)}


def _named(truth: str) -> str | None:
    return None if truth == ALL_LEVELS else truth
