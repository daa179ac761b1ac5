"""How well a signal tells boundaries from elsewhere, whatever the threshold: area under the ROC curve.

Around a boundary at b the window (b - 0.5 s, b + 0.5 s] holds two snippets of half a second wherever b lies
between snippets. The worst signal in it is held against the worst in equally wide windows, one around the
middle of every two snippets, that are more than a second from any boundary. The area is the share of the
pairs of a boundary and another place, of the same video, in which the boundary has the worse signal; ties
count half. 0.5 is chance. Being a share of pairs it can be pooled over videos.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamer.metrics import Ratio

REACH_S = 0.5
"""Seconds from a boundary, or another place, within which a signal counts for it."""

AWAY_S = 1.0
"""Seconds from any boundary beyond which a place is elsewhere."""

ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Period:
    """A part of every video.

    Attributes:
        name: of it, for tables.
        start_s: its beginning.
        end_s: its end.
    """

    name: str
    start_s: float = 0.0
    end_s: float = math.inf

    def holds(self, time_s: float) -> bool:
        """Whether a time lies in it."""
        return self.start_s <= time_s <= self.end_s


WHOLE = Period("whole")
FIRST_MINUTE = Period("first minute", end_s=60.0)
LEARNED = Period("after 10 min", start_s=600.0)


def area(
    worse: np.ndarray,
    boundaries: Sequence[float],
    every: Sequence[float],
    *,
    snippet_size: float = 0.5,
    period: Period = WHOLE,
) -> Ratio:
    """Share of the pairs in which the signal is worse at the boundary than at the other place.

    Args:
        worse: per snippet a signal that is higher at boundaries, nan where there is none, [T].
        boundaries: those that count, in seconds.
        every: all boundaries, those of other kinds too, in seconds.
        snippet_size: seconds from one snippet to the next.
        period: of which boundaries and other places are taken.

    Returns:
        Pairs won of all pairs; 0 of 0 without a boundary or another place that has a signal.
    """
    middles = (np.arange(len(worse) - 1) + 0.5) * snippet_size
    nearest = np.min(np.abs(middles[:, None] - np.asarray([*every, math.inf])[None, :]), axis=1)
    elsewhere = middles[nearest > AWAY_S]
    found = _worst(worse, [time for time in boundaries if period.holds(time)], snippet_size)
    others = np.sort(_worst(worse, [time for time in elsewhere if period.holds(time)], snippet_size))
    below = np.searchsorted(others, found, "left")
    ties = np.searchsorted(others, found, "right") - below
    return Ratio(float(np.sum(below + 0.5 * ties)), len(found) * len(others))


def _worst(worse: np.ndarray, times: Sequence[float], snippet_size: float) -> np.ndarray:
    """The highest signal around each time; without the times around which there is none."""
    found = []
    for time in times:
        first, stop = (
            math.floor((edge + ROUNDING_S) / snippet_size) + 1 for edge in (time - REACH_S, time + REACH_S)
        )
        around = worse[max(0, first) : max(0, stop)]
        around = around[~np.isnan(around)]
        if len(around):
            found.append(around.max())
    return np.array(found)
