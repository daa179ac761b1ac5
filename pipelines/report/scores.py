"""The scores of a run, for the pages; whatever an evaluation of any version has left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.report.payload import rounded
from pipelines.report.runs import Run

NEEDED = ("video_id", "predictor", "truth_level", "level", "metric", "value")
SHARES = ("numerator", "denominator")
FLOORS = ("fixed_period", "uniform", "dyadic_grid", "random_nested")
TRUTH = "truth"

# What is shown first, by how a metric's name begins.
_SHOWN = ("hlr_iou", "boundary_f1@0.5s", "boundary_f1@3s", "hlr_mof")


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
    return columns.loc[columns["predictor"] != TRUTH]


class ScoreTable:
    """Scores of one run or two, laid out for the library.

    Args:
        runs: the runs.
        frames: their scores; None where there are none.
    """

    def __init__(self, runs: Sequence[Run], frames: Sequence[pd.DataFrame | None]) -> None:
        self._runs = runs
        self._frames = frames
        self._own = [
            None if frame is None else _own_scores(frame, run)
            for run, frame in zip(runs, frames, strict=True)
        ]
        found = {key for own in self._own if own is not None for key in own}
        names = sorted({(truth, metric) for _, truth, metric in found}, key=_order)
        self.metrics = [{"truth": truth, "metric": metric} for truth, metric in names]
        self._names = names

    def of_video(self, video_id: str) -> list[list[Any] | None]:
        """Per run, per metric: values of the levels, finest first, or one value of the whole hierarchy."""
        rows: list[list[Any] | None] = []
        for own in self._own:
            cells = None if own is None else [own.get((video_id, *name)) for name in self._names]
            rows.append(cells if cells and any(cells) else None)
        return rows

    def summary(self) -> list[dict[str, Any]]:
        """Values over all videos, of the runs and of the floors, for the metrics that are shown first."""
        rows: list[dict[str, Any]] = []
        for place, (run, frame) in enumerate(zip(self._runs, self._frames, strict=True)):
            if frame is None:
                continue
            for key, group in frame.groupby(["truth_level", "metric", "predictor"], sort=False):
                truth, metric, predictor = map(str, cast("tuple[object, ...]", key))
                own = predictor == run.predictor
                value, level = _best(group)
                if value is None or not metric.startswith(_SHOWN) or not (own or predictor in FLOORS):
                    continue
                known = {"truth": truth, "metric": metric, "predictor": predictor}
                videos = int(group["video_id"].nunique())
                rows.append(
                    {**known, "run": place, "own": own, "value": value, "level": level, "videos": videos}
                )
        return sorted(rows, key=lambda row: _order((row["truth"], row["metric"])))


def _own_scores(frame: pd.DataFrame, run: Run) -> dict[tuple[str, str, str], list[float | None]]:
    own = frame.loc[(frame["predictor"] == run.predictor) & frame["video_id"].notna()]
    table: dict[tuple[str, str, str], dict[int, float]] = {}
    for video_id, truth, level, metric, value in own[list(NEEDED[:1] + NEEDED[2:])].itertuples(index=False):
        place = -1 if pd.isna(level) else int(level)
        table.setdefault((str(video_id), str(truth), str(metric)), {})[place] = value
    return {key: _values(by_level) for key, by_level in table.items()}


def _values(by_level: dict[int, float]) -> list[float | None]:
    """One value of the whole hierarchy, or those of the levels from 0 on."""
    if set(by_level) == {-1}:
        return rounded([by_level[-1]])
    return rounded([by_level.get(level) for level in range(max(by_level) + 1)])


def _best(group: pd.DataFrame) -> tuple[float | None, int | None]:
    """The value over all videos, of the level that has the highest."""
    best: tuple[float | None, int | None] = (None, None)
    for level in group["level"].unique():
        rows = group.loc[group["level"].isna() if pd.isna(level) else group["level"] == level]
        values = rows.loc[rows["value"].notna()]
        shares = values.loc[values["denominator"].notna()]
        if not len(values):
            continue
        pooled = len(shares) == len(values) and shares["denominator"].sum() > 0
        value = shares["numerator"].sum() / shares["denominator"].sum() if pooled else values["value"].mean()
        if best[0] is None or value > best[0]:
            best = (rounded([float(value)])[0], None if pd.isna(level) else int(level))
    return best


def _order(name: tuple[str, str]) -> tuple[str, int, str]:
    truth, metric = name
    ranks: Iterable[int] = (place for place, start in enumerate(_SHOWN) if metric == start)
    return truth, next(iter(ranks), len(_SHOWN)), metric
