"""How many events a level has and how long they are."""

import math
from dataclasses import dataclass

import numpy as np

from streamer.metrics.segments import Segments


@dataclass(frozen=True)
class EventLengths:
    """Number and lengths of the events of one level; lengths are nan where there is no event.

    Attributes:
        count: number of events.
        mean_s: mean length in seconds.
        median_s: median length in seconds.
        shortest_s: length of the shortest in seconds.
        longest_s: length of the longest in seconds.
    """

    count: int
    mean_s: float
    median_s: float
    shortest_s: float
    longest_s: float


def event_lengths(segments: Segments) -> EventLengths:
    """Counts and measures events.

    Args:
        segments: events in seconds, in any order, with or without labels.

    Returns:
        Their number and the figures of their lengths.
    """
    if not len(segments):
        return EventLengths(0, math.nan, math.nan, math.nan, math.nan)
    lengths = np.array([segment[1] - segment[0] for segment in segments])
    figures = (np.mean(lengths), np.median(lengths), np.min(lengths), np.max(lengths))
    return EventLengths(len(lengths), *map(float, figures))
