"""Confidence intervals over videos by the bootstrap, for one predictor and for the difference of two.

Videos, not events, are drawn with replacement: events of one video resemble each other. The interval holds
the middle share `confidence` of what the draws give (percentile bootstrap: Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993). It is undefined with fewer than two videos, from which nothing about
others follows.
"""

import math
from dataclasses import dataclass

import numpy as np

from streamer.errors import StreamerError

_BLOCK = 1 << 21  # drawn indexes that are held at a time
_EQUAL = 1e-12  # values nearer to each other than this are a tie


@dataclass(frozen=True)
class Interval:
    """A mean or pooled value over videos with its interval.

    Attributes:
        mean: the mean over the videos, or the pooled value; nan without any.
        low: lower end of the interval; nan with fewer than two videos.
        high: upper end of the interval.
        videos: number of videos where the value is defined.
        undefined: number of videos where it is not; they are left out.
    """

    mean: float
    low: float
    high: float
    videos: int
    undefined: int


@dataclass(frozen=True)
class PairedDifference:
    """The difference a - b over the same videos, with its interval.

    Attributes:
        mean: the mean difference over the videos, or the difference of the pooled values; nan without any.
        low: lower end of the interval; nan with fewer than two videos.
        high: upper end of the interval.
        wins: videos where a's own value is higher than b's.
        losses: videos where it is lower.
        ties: videos where the two are equal to 1e-12.
        videos: number of videos where both are defined.
        undefined: number of videos where one or both are not; they are left out.
    """

    mean: float
    low: float
    high: float
    wins: int
    losses: int
    ties: int
    videos: int
    undefined: int


def bootstrap_interval(
    values_V: np.ndarray, *, seed: int, draws: int = 2000, confidence: float = 0.95
) -> Interval:
    """Mean over videos and its interval.

    Args:
        values_V: one value per video, nan where undefined, shape [V].
        seed: seed of the draws, not negative.
        draws: number of draws, positive.
        confidence: share of the draws that the interval holds, above 0 and below 1.

    Returns:
        Mean and interval over the videos where the value is defined.

    Raises:
        StreamerError: draws or confidence is out of range.
    """
    return pooled_interval(values_V, np.ones(len(values_V)), seed=seed, draws=draws, confidence=confidence)


def pooled_interval(
    numerators_V: np.ndarray,
    denominators_V: np.ndarray,
    *,
    seed: int,
    draws: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Pooled value over videos, the sum of numerators over the sum of denominators, and its interval.

    Args:
        numerators_V: numerator per video, nan where there is none, shape [V].
        denominators_V: denominator per video, nan where there is none, shape [V]. A video where it
            is 0 is undefined.
        seed: as in `bootstrap_interval`.
        draws: as in `bootstrap_interval`.
        confidence: as in `bootstrap_interval`.

    Returns:
        Pooled value and interval over the videos where the value is defined.

    Raises:
        StreamerError: draws or confidence is out of range.
    """
    parts_VP, undefined = _defined(numerators_V, denominators_V)
    low, high = _interval(parts_VP, seed, draws, confidence)
    return Interval(_value(parts_VP), low, high, len(parts_VP), undefined)


def paired_difference(
    a_V: np.ndarray, b_V: np.ndarray, *, seed: int, draws: int = 2000, confidence: float = 0.95
) -> PairedDifference:
    """Mean difference a - b over the same videos and its interval.

    Args:
        a_V: a's value per video, nan where undefined, shape [V].
        b_V: b's value of the same videos in the same order, shape [V].
        seed: as in `bootstrap_interval`.
        draws: as in `bootstrap_interval`.
        confidence: as in `bootstrap_interval`.

    Returns:
        Difference, interval, wins and losses over the videos where both are defined.

    Raises:
        StreamerError: draws or confidence is out of range.
    """
    ones_V = np.ones(len(a_V))
    return paired_pooled_difference(a_V, ones_V, b_V, ones_V, seed=seed, draws=draws, confidence=confidence)


def paired_pooled_difference(
    a_numerators_V: np.ndarray,
    a_denominators_V: np.ndarray,
    b_numerators_V: np.ndarray,
    b_denominators_V: np.ndarray,
    *,
    seed: int,
    draws: int = 2000,
    confidence: float = 0.95,
) -> PairedDifference:
    """Difference of the pooled values of a and b over the same videos and its interval.

    Args:
        a_numerators_V: a's numerator per video, nan where there is none, shape [V].
        a_denominators_V: a's denominator per video, shape [V]. A video where it is nan or 0 is undefined.
        b_numerators_V: b's numerator of the same videos in the same order, shape [V].
        b_denominators_V: b's denominator, shape [V].
        seed: as in `bootstrap_interval`.
        draws: as in `bootstrap_interval`.
        confidence: as in `bootstrap_interval`.

    Returns:
        Difference, interval, wins and losses over the videos where both are defined.

    Raises:
        StreamerError: draws or confidence is out of range.
    """
    parts_VP, undefined = _defined(a_numerators_V, a_denominators_V, b_numerators_V, b_denominators_V)
    low, high = _interval(parts_VP, seed, draws, confidence)
    own_V = _ratios(parts_VP)
    wins, losses = int(np.sum(own_V > _EQUAL)), int(np.sum(own_V < -_EQUAL))
    ties = len(own_V) - wins - losses
    return PairedDifference(_value(parts_VP), low, high, wins, losses, ties, len(own_V), undefined)


def _defined(*columns: np.ndarray) -> tuple[np.ndarray, int]:
    """Columns (numerator, denominator, ...) of the defined videos; and how many others there are."""
    assert len({len(column) for column in columns}) == 1, "the columns are of the same videos"
    parts_VP = np.column_stack(columns).astype(np.float64)
    defined_V = ~np.isnan(parts_VP).any(axis=1) & (parts_VP[:, 1::2] > 0).all(axis=1)
    return parts_VP[defined_V], int(np.sum(~defined_V))


def _ratios(parts: np.ndarray) -> np.ndarray:
    """Numerator / denominator of [..., 2]; of [..., 4] the first ratio less the second."""
    ratios = parts[..., 0::2] / parts[..., 1::2]
    return ratios[..., 0] - ratios[..., 1] if ratios.shape[-1] == 2 else ratios[..., 0]


def _value(parts_VP: np.ndarray) -> float:
    return float(_ratios(parts_VP.sum(axis=0))) if len(parts_VP) else math.nan


def _interval(parts_VP: np.ndarray, seed: int, draws: int, confidence: float) -> tuple[float, float]:
    if draws < 1:
        raise StreamerError(f"draws is {draws}: the bootstrap needs at least 1")
    if not 0 < confidence < 1:
        raise StreamerError(f"confidence is {confidence}: it must be above 0 and below 1")
    videos, columns = parts_VP.shape
    if videos < 2:
        return math.nan, math.nan
    generator = np.random.default_rng(seed)
    sums_SP = np.empty((draws, columns))
    block = max(1, _BLOCK // videos)
    for first in range(0, draws, block):
        drawn = generator.integers(videos, size=(min(block, draws - first), videos))
        for column in range(columns):
            sums_SP[first : first + block, column] = parts_VP[:, column][drawn].sum(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(_ratios(sums_SP), [tail, 1 - tail])
    return float(low), float(high)
