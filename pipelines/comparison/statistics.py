"""The figures of a comparison: means and pooled values with their intervals, and paired differences."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from pipelines.comparison.columns import Column, Measured, Shared, Values, measured
from streamer.config import nearest
from streamer.errors import ConfigError
from streamer.metrics.intervals import (
    bootstrap_interval,
    paired_difference,
    paired_pooled_difference,
    pooled_interval,
)

HEADLINES = (
    "hlr_iou",
    "hlr_mof",
    "symmetric_f1",
    "t_full_f1",
    "l_f1",
    "boundary_f1@0.5s",
    "boundary_f1@3s",
    "gebd_f1@0.05",
    "frame_accuracy",
    "edit",
    "segmental_f1@10",
    "segmental_f1@50",
    "clustered_frame_accuracy",
    "retrieval_map",
    "knn_accuracy",
    "events",
)
"""Metrics that are compared where nothing else is asked for, as far as they were measured."""

POOLED = re.compile(r"(clustered_)?(gebd_|segmental_f1|frame_accuracy).*")
"""Metrics that papers report as a share of all videos' counts; they are shown in both ways."""

UNDIRECTED = re.compile(r".*events.*|event_length_.*|retrieval_queries")
"""Metrics of which more is not better: a difference is told, but nobody wins."""

ENOUGH = 6
"""Videos below which no difference is called clear: all of five are on one side by chance 1 time in 16."""

LOWER_IS_BETTER = re.compile(r"boundary_distance.*")

Selection = Literal["whole", "best", "level", "corpus", "shuffled"]
Aggregate = Literal["mean", "pooled"]
AGGREGATES: tuple[Aggregate, ...] = ("mean", "pooled")


@dataclass(frozen=True)
class Figure:
    """One metric of one column.

    Attributes:
        truth_level: level of annotation.
        metric: what was measured.
        selection: whole = of the whole hierarchy; best = of the column's best level; level = of the same
            level of every column; corpus = of all videos together, without a value per video; shuffled = the
            same with the representations dealt out at random.
        level: the level, 0 the finest; None for the whole hierarchy.
        aggregate: mean over videos, or pooled: sum of numerators by sum of denominators.
        column: heading of the column.
        predictor: name of its predictor.
        floor: whether it is a blind floor, not a run.
        reference: heading of the column that it is held against.
        value: mean or pooled value over the videos where it is defined.
        low: lower end of its 95 % interval over videos.
        high: upper end.
        videos: in how many videos it is defined.
        undefined: in how many of the shared videos it is not.
        difference: value less the reference's over the videos where both are defined.
        difference_low: lower end of its 95 % interval.
        difference_high: upper end.
        wins: videos where the column is better than the reference; null for a metric that has no better.
        losses: videos where it is worse.
        ties: videos where both are the same.
        pairs: videos where both are defined.
    """

    truth_level: str
    metric: str
    selection: Selection
    level: int | None
    aggregate: Aggregate
    column: str
    predictor: str
    floor: bool
    reference: str
    value: float
    low: float = math.nan
    high: float = math.nan
    videos: int = 0
    undefined: int = 0
    difference: float = math.nan
    difference_low: float = math.nan
    difference_high: float = math.nan
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None
    pairs: int | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference leaves out zero, and there are enough videos to say so."""
        enough = self.pairs is not None and self.pairs >= ENOUGH
        return enough and (self.difference_low > 0 or self.difference_high < 0)

    @property
    def is_better(self) -> bool:
        """Whether the difference is to the better, where there is a better."""
        return (self.difference < 0) == (LOWER_IS_BETTER.fullmatch(self.metric) is not None)


def compare_columns(shared: Shared, metrics: Sequence[str], *, seed: int) -> list[Figure]:
    """All figures: per level of annotation, metric, selection and aggregate one for each column.

    Args:
        shared: what the runs have in common; the first column is the reference.
        metrics: what to compare; none for `HEADLINES`.
        seed: determines the resamples, which are the same for all columns.

    Raises:
        ConfigError: a metric was measured in none of the runs.
    """
    _check(shared, metrics)
    best = [column.best_levels() for column in shared.columns]
    corpus = _corpus(shared.columns)
    figures: list[Figure] = []
    for name, videos in shared.truth_levels.items():
        values = [measured(column, name, videos) for column in shared.columns]
        level_of = [levels.get(name) for levels in best]
        for metric in metrics or HEADLINES:
            for selection, levels in _selections(metric, values, level_of):
                row = [_Place(name, metric, selection, level) for level in levels]
                figures += _row(shared, row, values, np.full(len(videos), np.nan), seed)
            figures += _corpus_rows(shared, corpus, name, metric)
    return figures


def _check(shared: Shared, metrics: Sequence[str]) -> None:
    known = sorted({metric for column in shared.columns for metric in column.scores["metric"]})
    for metric in metrics:
        if metric not in known:
            raise ConfigError(
                f"--metrics {metric}: not among the scores{nearest(metric, known)}: give some of "
                f"{', '.join(known)}"
            )


class _Place(NamedTuple):
    """Which value of a column is meant."""

    truth_level: str
    metric: str
    selection: Selection
    level: int | None


def _selections(
    metric: str, values: Sequence[Values], best: Sequence[int | None]
) -> Iterator[tuple[Selection, list[int | None]]]:
    """Ways to choose the level of every column for a metric."""
    levels = {level for of_column in values for name, level in of_column if name == metric}
    if None in levels:
        yield "whole", [None] * len(values)
    numbers = sorted(level for level in levels if level is not None)
    if numbers:
        yield "best", list(best)
    for level in numbers:
        yield "level", [level] * len(values)


def _row(
    shared: Shared, places: Sequence[_Place], values: Sequence[Values], nothing_V: np.ndarray, seed: int
) -> Iterator[Figure]:
    """Figures of one row of the table, one per column and aggregate."""
    nothing = Measured(nothing_V, nothing_V, nothing_V)
    cells = [
        of_column.get((place.metric, place.level), nothing)
        # A best level of None says that there is none, not that the whole hierarchy is meant.
        if place.level is not None or place.selection == "whole"
        else nothing
        for place, of_column in zip(places, values, strict=True)
    ]
    is_share = any(np.isfinite(cell.denominators).any() for cell in cells)
    for aggregate in AGGREGATES if is_share else AGGREGATES[:1]:
        for column, place, cell in zip(shared.columns, places, cells, strict=True):
            yield _figure(shared.columns[0], column, place, aggregate, cell, cells[0], seed)


def _figure(
    reference: Column,
    column: Column,
    place: _Place,
    aggregate: Aggregate,
    own: Measured,
    other: Measured,
    seed: int,
) -> Figure:
    if aggregate == "mean":
        interval = bootstrap_interval(own.values, seed=seed)
        paired = paired_difference(own.values, other.values, seed=seed)
    else:
        interval = pooled_interval(own.numerators, own.denominators, seed=seed)
        paired = paired_pooled_difference(
            own.numerators, own.denominators, other.numerators, other.denominators, seed=seed
        )
    figure = replace(
        _bare(reference, column, place, aggregate, interval.mean),
        low=interval.low,
        high=interval.high,
        videos=interval.videos,
        undefined=interval.undefined,
    )
    if column is reference:
        return figure
    figure = replace(
        figure,
        difference=paired.mean,
        difference_low=paired.low,
        difference_high=paired.high,
        pairs=paired.videos,
    )
    if UNDIRECTED.fullmatch(place.metric):
        return figure
    outcome = (paired.wins, paired.losses)
    wins, losses = outcome[::-1] if LOWER_IS_BETTER.fullmatch(place.metric) else outcome
    return replace(figure, wins=wins, losses=losses, ties=paired.ties)


def _bare(reference: Column, column: Column, place: _Place, aggregate: Aggregate, value: float) -> Figure:
    """A value without an interval and without a difference."""
    return Figure(
        truth_level=place.truth_level,
        metric=place.metric,
        selection=place.selection,
        level=place.level,
        aggregate=aggregate,
        column=column.label,
        predictor=column.predictor,
        floor=column.run is None,
        reference=reference.label,
        value=value,
    )


class _Whole(NamedTuple):
    """Values that are of all videos together; they have no interval.

    Attributes:
        column: whose.
        selection: of its own representations, or of shuffled ones.
        rows: scores.
    """

    column: Column
    selection: Selection
    rows: pd.DataFrame


def _corpus(columns: Sequence[Column]) -> list[_Whole]:
    parts = [_Whole(column, "corpus", column.scores) for column in columns]
    parts += [_Whole(column, "shuffled", column.shuffled) for column in columns]
    return [part._replace(rows=part.rows.loc[part.rows["video_id"].isna()]) for part in parts]


def _corpus_rows(shared: Shared, corpus: Sequence[_Whole], truth_level: str, metric: str) -> list[Figure]:
    """Figures of a metric that is of all videos together, by level; below each its floor."""
    found: list[Figure] = []
    for column, selection, rows in corpus:
        own = rows.loc[(rows["truth_level"] == truth_level) & (rows["metric"] == metric)]
        for level, value in zip(own["level"], own["value"], strict=True):
            place = _Place(truth_level, metric, selection, None if pd.isna(level) else int(level))
            found.append(_bare(shared.columns[0], column, place, "mean", float(value)))
    return sorted(found, key=lambda figure: (-1 if figure.level is None else figure.level, figure.selection))
