"""Events as (start, end[, label]), and a level of them as a tiling of its video."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamer.errors import StreamerError, TruthError

Segment = tuple[float, float]
"""Start and end of an event in seconds, half-open."""

LabelledSegment = tuple[float, float, str]
"""Start and end in seconds, half-open, and the label of an annotated event."""

Segments = Sequence[Segment] | Sequence[LabelledSegment]
"""The events of one level, with or without labels."""


@dataclass(frozen=True)
class Tiling:
    """A level of events as pieces that cover the video without gap or overlap.

    Attributes:
        edges: the n + 1 times between and around the pieces, in seconds, ascending, from 0 to the duration.
        owners: per piece the index of the event that it belongs to, -1 in a gap; int64 [n].
    """

    edges: np.ndarray
    owners: np.ndarray


def check_truth(truth: Segments) -> None:
    """Refuses annotations with impossible times.

    Raises:
        TruthError: a time is not finite, negative, or an end lies before its start.
    """
    for start, end, *label in truth:
        if not (0 <= start <= end < math.inf):
            name = f"annotation {label[0]!r}" if label else "annotation"
            raise TruthError(
                f"{name} from {start} to {end} s: times must be finite, not negative and in order"
            )


def check_positive(purpose: str, **values: float) -> None:
    """Refuses values that are not positive numbers.

    Raises:
        StreamerError: naming the value, and `purpose` as what needs it to be positive.
    """
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise StreamerError(f"{name} is {value}: {purpose} needs a positive number")


def tile(segments: Segments, duration: float) -> Tiling:
    """Makes a tiling of events that may leave gaps, overlap, and come in any order.

    A gap is a piece of its own. Where events overlap, the one that started last has the time (of those that
    started together the shortest, of equal ones the first given), and one that it interrupted goes on
    after it in a further piece. What lies outside the video, and an event without length, has no piece.

    Args:
        segments: events in seconds.
        duration: length of the video in seconds, positive.

    Returns:
        The pieces in time order.
    """
    times = np.array([segment[:2] for segment in segments], dtype=np.float64).reshape(-1, 2)
    starts, ends = np.clip(times, 0.0, duration).T
    given = np.flatnonzero(ends > starts)
    edges = np.unique(np.concatenate([[0.0, duration], starts[given], ends[given]]))
    first, last = np.searchsorted(edges, starts), np.searchsorted(edges, ends)
    owners = np.full(len(edges) - 1, -1, dtype=np.int64)
    # Painted in this order, what has the time lies on top.
    for event in given[np.lexsort((-given, -ends[given], starts[given]))].tolist():
        owners[first[event] : last[event]] = event
    begins = np.append(True, owners[1:] != owners[:-1])
    return Tiling(edges[np.append(begins, True)], owners[begins])
