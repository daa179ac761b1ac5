"""What is measured of one hierarchy of one video, before it is known whose it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamer.metrics import Ratio


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


Measures = dict[tuple[int | None, str], Measure]
"""Measures by level (None for the whole hierarchy) and metric."""

UNDEFINED = Measure(math.nan)


def of_ratio(ratio: Ratio) -> Measure:
    """A share."""
    return Measure(ratio.value, float(ratio.numerator), float(ratio.denominator))


def average(draws: Sequence[Measures]) -> Measures:
    """The measures of several random hierarchies of one video as those of one.

    Shares are pooled over the draws, so that they remain shares; other values are averaged.

    Args:
        draws: the same metrics of the same levels in each.
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
