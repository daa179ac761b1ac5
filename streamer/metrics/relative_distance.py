"""F1 of boundaries within a distance relative to the length of the video (F1@Rel.Dis).

The measure of generic event boundary detection: Shou et al., "Generic Event Boundary Detection: A Benchmark
for Event Segmentation", ICCV 2021, and its challenge. Over a data set it is pooled: the sum of the
numerators over the sum of the denominators. The challenge gives the figure at 0.05, and the mean over
`THRESHOLDS`.
"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from streamer.metrics.ratio import Ratio
from streamer.metrics.segments import check_positive

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
"""Distances, as shares of the length of the video, over which the challenge averages."""


def relative_distance_f1(
    predicted: Sequence[float] | np.ndarray,
    truth: Sequence[float] | np.ndarray,
    *,
    duration: float,
    threshold: float = 0.05,
) -> Ratio:
    """Scores predicted boundaries against annotated ones by greedy matching.

    In time order every annotated boundary takes the nearest predicted one that is left (the first given
    of equally near ones), if it is near enough. This is not the largest possible matching: an annotated
    boundary may take what a later one needed.

    Args:
        predicted: boundaries in seconds, any order; `interior_boundaries` makes both.
        truth: the same of the annotation.
        duration: length of the video in seconds.
        threshold: largest distance at which two boundaries match, as a share of `duration`, inclusive.

    Returns:
        Twice the matches over the number of boundaries in both. Undefined where neither has a boundary;
        0 where only one of them has.

    Raises:
        StreamerError: duration or threshold is not a positive number.
    """
    check_positive("relative distance", duration=duration, threshold=threshold)
    given = sorted((float(time), place) for place, time in enumerate(predicted))
    times, places = [time for time, _ in given], [place for _, place in given]
    matches = 0
    for time in sorted(float(time) for time in truth):
        nearest = _nearest(times, places, time)
        if nearest is not None and abs(times[nearest] - time) <= threshold * duration:
            del times[nearest], places[nearest]
            matches += 1
    return Ratio(2.0 * matches, float(len(predicted) + len(truth)))


def _nearest(times: list[float], places: list[int], time: float) -> int | None:
    """Index of the nearest of some ascending times; the one with the lower place of equally near ones."""
    after = bisect_left(times, time)
    sides = [after] if after < len(times) else []
    if after:
        sides.append(bisect_left(times, times[after - 1]))
    return min(sides, key=lambda index: (abs(times[index] - time), places[index]), default=None)
