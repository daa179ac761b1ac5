"""The columns of a comparison, runs and floors, and their values on the videos that all runs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipelines.comparison.runs import ComparedRun, ComparisonError
from pipelines.evaluation.predictors import FLOORS, SHUFFLED
from pipelines.evaluation.scores import TRUTH
from pipelines.evaluation.summary import BEST_LEVEL, summarise
from pipelines.wording import counted

FLOOR = "floor "
"""Before the name of a floor in the label of its column; a run's folder may have the same name."""

ANNOTATED_EVENTS = "events"


class Measured(NamedTuple):
    """What one column has of one metric, over the videos that all runs share.

    Attributes:
        values: one value per video, nan where undefined.
        numerators: what it is a share of the denominator of; nan for a value that is no share.
        denominators: see `numerators`.
    """

    values: np.ndarray
    numerators: np.ndarray
    denominators: np.ndarray


@dataclass(frozen=True)
class Column:
    """A predictor whose scores stand in a column of their own.

    Attributes:
        label: heading of the column, different for each.
        run: the run; None for a floor.
        predictor: name of the predictor.
        scores: its rows of `read_scores`, of the shared videos, and of all videos together where the run has
            no others.
        shuffled: the same of its events with representations dealt out at random; no rows for a floor.
    """

    label: str
    run: ComparedRun | None
    predictor: str
    scores: pd.DataFrame
    shuffled: pd.DataFrame

    def best_levels(self) -> dict[str, int]:
        """For each level of annotation the level that `evaluate` would choose, on the shared videos alone."""
        if self.scores.empty:
            return {}
        summary = summarise(self.scores)
        chosen = summary.loc[summary["metric"].str.startswith(BEST_LEVEL)]
        return {str(name): int(rows["level"].iloc[0]) for name, rows in chosen.groupby("truth_level")}


@dataclass(frozen=True)
class Shared:
    """What the runs have in common.

    Attributes:
        truth_levels: levels of annotation that all runs were scored against, each with the ids of the videos
            that count.
        columns: the runs, the reference first, then the floors.
        remarks: what does not count and why, a line each.
    """

    truth_levels: dict[str, list[str]]
    columns: list[Column]
    remarks: list[str]


def shared_scores(runs: Sequence[ComparedRun]) -> Shared:
    """Finds the videos that all runs have scores of, against the same annotation.

    Args:
        runs: the reference first.

    Raises:
        ComparisonError: there is no such video.
    """
    remarks: list[str] = []
    levels = {
        name: _videos_of_level(name, runs, remarks)
        for name in _truth_levels(runs[0])
        if all(name in _truth_levels(run) for run in runs)
    }
    levels = {name: videos for name, videos in levels.items() if videos}
    if not levels:
        raise ComparisonError(_nothing_shared(runs, remarks))
    counted_ids = {video_id for videos in levels.values() for video_id in videos}
    for run in runs:
        _remark_rest(run, counted_ids, levels, remarks)
    columns = [
        Column(run.label, run, run.predictor, _rows(run, run.predictor, levels), _rows(run, SHUFFLED, levels))
        for run in runs
    ]
    for floor in FLOORS:
        sources = (_rows(run, floor, levels) for run in runs if run.predictor != floor)
        rows = next((found for found in sources if not found.empty), None)
        if rows is not None:
            columns.append(Column(FLOOR + floor, None, floor, rows, rows.iloc[:0]))
    return Shared(levels, columns, remarks)


Values = dict[tuple[str, int | None], Measured]
"""By metric and level; None for the whole hierarchy."""


def measured(column: Column, truth_level: str, video_ids: Sequence[str]) -> Values:
    """Values of a column against one level of annotation, in the order of `video_ids`."""
    rows = column.scores
    rows = rows.loc[(rows["truth_level"] == truth_level) & rows["video_id"].isin(video_ids)]
    groups = rows.groupby(["metric", "level"], sort=False, dropna=False)
    places = rows["video_id"].map({name: place for place, name in enumerate(video_ids)}).to_numpy(np.int64)
    arrays = []
    for name in ("value", "numerator", "denominator"):
        array = np.full((groups.ngroups, len(video_ids)), np.nan)
        array[groups.ngroup().to_numpy(), places] = rows[name].to_numpy(np.float64)
        arrays.append(array)
    keys = rows.loc[:, ["metric", "level"]].drop_duplicates().itertuples(index=False)
    return {
        (str(metric), None if pd.isna(level) else int(level)): Measured(*(array[place] for array in arrays))
        for place, (metric, level) in enumerate(keys)
    }


def _truth_levels(run: ComparedRun) -> list[str]:
    """Levels of annotation that a run was scored against, in order."""
    own = run.scores.loc[run.scores["predictor"] == run.predictor, "truth_level"]
    return list(dict.fromkeys(own))


def _rows(run: ComparedRun, predictor: str, levels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Scores of one predictor that count."""
    parts = []
    for name, videos in levels.items():
        of_level = run.scores.loc[run.scores["truth_level"] == name]
        own = of_level.loc[of_level["predictor"] == predictor]
        parts.append(own.loc[own["video_id"].isin(videos)])
        if set(of_level["video_id"].dropna()) <= set(videos):
            parts.append(own.loc[own["video_id"].isna()])
    return pd.concat(parts, ignore_index=True)


def _videos_of_level(name: str, runs: Sequence[ComparedRun], remarks: list[str]) -> list[str]:
    """Videos that all runs were scored on against the same events of one level of annotation."""
    shared: set[str] | None = None
    for run in runs:
        own = run.scores.loc[
            (run.scores["predictor"] == run.predictor) & (run.scores["truth_level"] == name), "video_id"
        ]
        shared = set(own.dropna()) if shared is None else shared & set(own.dropna())
    assert shared is not None, "there are runs"
    counts = [_annotated_events(run, name) for run in runs]
    differing = sorted(
        video_id
        for video_id in shared
        if any(count.get(video_id) != counts[0].get(video_id) for count in counts[1:])
    )
    if differing:
        remarks.append(
            f"{counted(len(differing), 'video')} left out of {name!r}, annotated otherwise when another "
            f"run was scored (--truth scores all runs against the same): {named(differing)}"
        )
    return sorted(shared - set(differing))


def _annotated_events(run: ComparedRun, name: str) -> dict[str, float]:
    rows = run.scores
    rows = rows.loc[
        (rows["predictor"] == TRUTH) & (rows["truth_level"] == name) & (rows["metric"] == ANNOTATED_EVENTS)
    ]
    return dict(zip(rows["video_id"], rows["value"], strict=True))


def _remark_rest(
    run: ComparedRun, counted_ids: set[str], levels: Mapping[str, Sequence[str]], remarks: list[str]
) -> None:
    rest = sorted(run.scored - counted_ids)
    if rest:
        remarks.append(
            f"{run.label}: {counted(len(rest), 'scored video')} left out, not in all runs: {named(rest)}"
        )
    if run.unscored:
        count = counted(len(run.unscored), "annotated video")
        remarks.append(f"{run.label}: {count} without scores: {named(run.unscored)}")
    others = [name for name in _truth_levels(run) if name not in levels]
    if others:
        remarks.append(f"{run.label}: annotated levels that not all runs have: {named(others)}")


def _nothing_shared(runs: Sequence[ComparedRun], remarks: Sequence[str]) -> str:
    if remarks:
        return f"no video counts: {'; '.join(remarks)}"
    scored = "; ".join(f"{run.label} of {counted(len(run.scored), 'video')}" for run in runs)
    return (
        "no video and annotated level has scores in all runs: there are scores in "
        f"{scored}: compare runs over the same videos, or give --truth FILE to score all of them now"
    )


NAMED_AT_MOST = 5


def named(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")
