"""What is measured of one hierarchy of one video, before it is known whose it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from pipelines.evaluation.scores import Score
from streamer.metrics import Ratio

Key = TypeVar("Key")


@dataclass(frozen=True)
class Measure:
    """One value, and what it is a share of.

    Attributes:
        value: the value; nan where undefined.
        numerator: of the share that the value is; nan for a value that is none.
        denominator: see `numerator`.
    """

    value: float
    numerator: float = math.nan
    denominator: float = math.nan

    @property
    def is_share(self) -> bool:
        """Whether the value is a share, which can be pooled over videos."""
        return not math.isnan(self.denominator)


Measures = Mapping[tuple[int | None, str], Measure]
"""Measures by level (None for the whole hierarchy) and metric."""

UNDEFINED = Measure(math.nan)


def of_ratio(ratio: Ratio) -> Measure:
    """A share."""
    return Measure(ratio.value, float(ratio.numerator), float(ratio.denominator))


def average(draws: Sequence[Mapping[Key, Measure]]) -> dict[Key, Measure]:
    """The measures of several random draws as those of one.

    Shares are pooled over the draws, so that they remain shares; other values are averaged.

    Args:
        draws: the same metrics in each.
    """
    return {key: _average([draw[key] for draw in draws]) for key in draws[0]}


def _average(measures: Sequence[Measure]) -> Measure:
    if len(measures) == 1:
        return measures[0]
    if not all(measure.is_share for measure in measures):
        return Measure(float(np.mean([measure.value for measure in measures])))
    count = len(measures)
    numerator = sum(measure.numerator for measure in measures) / count
    denominator = sum(measure.denominator for measure in measures) / count
    return of_ratio(Ratio(numerator, denominator))


def rows(video_id: str | None, predictor: str, truth_level: str, measures: Measures) -> list[Score]:
    """Measures as scores, in their order."""
    return [
        Score(video_id, predictor, truth_level, level, metric, m.value, m.numerator, m.denominator)
        for (level, metric), m in measures.items()
    ]
