"""Precision, recall and F1 of event boundaries within a tolerance in seconds, and how far they are off.

For the first three, boundaries are matched one to one, as many as possible (`mir_eval.segment.detection`).
The two ends of the video are known beforehand and never count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import mir_eval
import numpy as np

from streamer.metrics.segments import LabelledSegment, Segment

DECIMALS = 5
"""Decimal places of a second at which mir_eval tells boundaries apart."""

END_MARGIN = 0.1
"""Seconds from either end of a video within which a time is taken for that end."""


@dataclass(frozen=True)
class BoundaryScores:
    """Agreement of predicted with annotated boundaries; each 0 to 1, or nan where undefined.

    Attributes:
        precision: share of the predicted boundaries that were matched.
        recall: share of the annotated boundaries that were matched.
        f1: harmonic mean of the two.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class BoundaryDeviation:
    """Median distances in seconds between boundaries; nan where undefined.

    Attributes:
        truth_to_predicted_s: from an annotated boundary to the nearest predicted one.
        predicted_to_truth_s: from a predicted boundary to the nearest annotated one.
    """

    truth_to_predicted_s: float
    predicted_to_truth_s: float


def interior_boundaries(
    segments: Sequence[Segment] | Sequence[LabelledSegment], duration: float
) -> np.ndarray:
    """Starts and ends of segments that lie inside the video.

    A time closer than `END_MARGIN` to an end of the video is that end: neither annotations nor snippets
    hit the end of a file to the frame. A time that several segments share (to 1e-5 s) counts once. Where
    annotations leave a gap or overlap, both sides of it are boundaries.

    Args:
        segments: events in seconds, in any order, with or without labels.
        duration: length of the video in seconds.

    Returns:
        Boundaries in seconds, ascending, shape [n].
    """
    times = np.unique(np.round(np.array([segment[:2] for segment in segments], dtype=np.float64), DECIMALS))
    return times[(times >= END_MARGIN) & (times <= duration - END_MARGIN)]


def boundary_scores(
    predicted: Sequence[float] | np.ndarray,
    truth: Sequence[float] | np.ndarray,
    *,
    duration: float,
    tolerance: float,
) -> BoundaryScores:
    """Scores predicted boundaries against annotated ones.

    Without an annotated boundary all three scores are nan, whatever was predicted, so that means over
    videos run over the same videos for every predictor. Without a predicted boundary (and with annotated
    ones) all three are 0: who predicts nothing must not leave the mean.

    Args:
        predicted: boundaries in seconds, any order, strictly between 0 and `duration`.
        truth: the same of the annotation; `interior_boundaries` makes both.
        duration: length of the video in seconds.
        tolerance: largest distance in seconds at which two boundaries match, inclusive. Times are
            rounded to 1e-5 s.

    Returns:
        Precision, recall and F1.
    """
    if len(truth) == 0:
        return BoundaryScores(math.nan, math.nan, math.nan)
    if len(predicted) == 0:
        return BoundaryScores(0.0, 0.0, 0.0)
    precision, recall, f1 = mir_eval.segment.detection(
        _tiling(truth, duration), _tiling(predicted, duration), window=tolerance, trim=True
    )
    return BoundaryScores(float(precision), float(recall), float(f1))


def boundary_deviation(
    predicted: Sequence[float] | np.ndarray, truth: Sequence[float] | np.ndarray
) -> BoundaryDeviation:
    """Measures how far boundaries are from the nearest ones on the other side.

    The figures are those of `mir_eval.segment.deviation`, trimmed.

    Args:
        predicted: boundaries in seconds, any order, without the ends of the video.
        truth: the same of the annotation; `interior_boundaries` makes both.

    Returns:
        Median distances in seconds; both nan unless there are predicted and annotated boundaries.
    """
    if not (len(predicted) and len(truth)):
        return BoundaryDeviation(math.nan, math.nan)
    ours, theirs = (np.unique(np.asarray(times, dtype=np.float64)) for times in (predicted, truth))
    return BoundaryDeviation(
        truth_to_predicted_s=float(np.median(_nearest_distances(theirs, ours))),
        predicted_to_truth_s=float(np.median(_nearest_distances(ours, theirs))),
    )


def _nearest_distances(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each time [n] to the nearest of the others, which ascend."""
    after = np.minimum(np.searchsorted(others, times), len(others) - 1)
    before = np.maximum(after - 1, 0)
    return np.minimum(np.abs(others[after] - times), np.abs(others[before] - times))


def _tiling(boundaries: Sequence[float] | np.ndarray, duration: float) -> np.ndarray:
    """Intervals [n + 1, 2] between n boundaries and the two ends of the video."""
    times = np.unique(np.asarray(boundaries, dtype=np.float64))
    assert ((times > 0) & (times < duration)).all(), "boundaries lie strictly inside the video"
    times = np.concatenate([[0.0], times, [duration]])
    return np.column_stack([times[:-1], times[1:]])
