"""The levels of a hierarchy as a tree of events, and which events annotations overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from streamer.errors import HierarchyError
from streamer.metrics.segments import Segment


@dataclass(frozen=True)
class Level:
    """The n events of one level in time order.

    Attributes:
        starts: seconds, [n].
        ends: seconds, [n].
        first_child: [n + 1]; children of event i are first_child[i] to first_child[i + 1] - 1 of the level
            below, all 0 on the finest.
    """

    starts: np.ndarray
    ends: np.ndarray
    first_child: np.ndarray

    def segment(self, event: int) -> Segment:
        """Returns start and end of an event."""
        return float(self.starts[event]), float(self.ends[event])


@dataclass(frozen=True)
class Overlaps:
    """All n pairs of an annotation and an event that share time, ordered by annotation and event.

    Attributes:
        rows: index of the annotation, [n].
        events: index of the event, [n].
        iou: intersection over union of the two, above 0, [n].
    """

    rows: np.ndarray
    events: np.ndarray
    iou: np.ndarray


def link_levels(levels: Sequence[Sequence[Segment]]) -> list[Level]:
    """Ties every event to its children one level down.

    An event that reaches across the end of an event one level up is cut there, and each piece belongs to the
    parent that it lies in. What begins after the last event of the level above has no parent and is left
    out. Empty levels are ignored.

    Args:
        levels: events in seconds, finest level first, each level in time order.

    Returns:
        At least one level, finest first.

    Raises:
        HierarchyError: no level has an event, or a level has impossible times or is out of order.
    """
    given = [_level_array(index, level) for index, level in enumerate(levels) if len(level)]
    if not given:
        raise HierarchyError("no level has an event; level reduction needs at least one")
    linked: list[Level] = []
    above = given[-1]
    for below in reversed(given[:-1]):
        children = _cut(below, np.unique(above[:, 1]))
        linked.append(_tie(above, children))
        above = children[: linked[-1].first_child[-1]]
    linked.append(_tie(above, np.empty((0, 2))))
    return linked[::-1]


def overlaps(starts: np.ndarray, ends: np.ndarray, truth: np.ndarray) -> Overlaps:
    """Finds the pairs of an annotation and an event that share time.

    Args:
        starts: starts of events in seconds, ascending, [n].
        ends: their ends, ascending, [n].
        truth: start and end of annotations in seconds, any order, [T, 2].

    Returns:
        The pairs.
    """
    first = np.searchsorted(ends, truth[:, 0], side="right")
    last = np.searchsorted(starts, truth[:, 1], side="left")
    counts = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(truth)), counts)
    events = np.arange(len(rows)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    shared = np.minimum(ends[events], truth[rows, 1]) - np.maximum(starts[events], truth[rows, 0])
    union = np.maximum(ends[events], truth[rows, 1]) - np.minimum(starts[events], truth[rows, 0])
    some = shared > 0
    return Overlaps(rows[some], events[some], shared[some] / union[some])


def _level_array(index: int, level: Sequence[Segment]) -> np.ndarray:
    """Times of one level [n, 2], checked."""
    events = np.array(level, dtype=np.float64).reshape(-1, 2)
    valid = np.isfinite(events).all(axis=1) & (events[:, 0] >= 0) & (events[:, 1] >= events[:, 0])
    if not valid.all():
        event = int(np.argmin(valid))
        raise HierarchyError(
            f"level {index}, event {event}, from {events[event, 0]} to {events[event, 1]} s: "
            "times must be finite, not negative and in order"
        )
    disordered = (np.diff(events, axis=0) < 0).any(axis=1)
    if disordered.any():
        event = int(np.argmax(disordered)) + 1
        raise HierarchyError(f"level {index}, event {event}: out of time order; sort the level by time")
    return events


def _cut(events: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Cuts events [n, 2] at the sorted times `ends` that lie strictly inside them."""
    first = np.searchsorted(ends, events[:, 0], side="right")
    last = np.searchsorted(ends, events[:, 1], side="left")
    if not (last > first).any():
        return events
    pieces: list[Segment] = []
    for (start, end), low, high in zip(events.tolist(), first, last, strict=True):
        pieces.extend(pairwise([start, *ends[low:high].tolist(), end]))
    return np.array(sorted(pieces))


def _tie(above: np.ndarray, below: np.ndarray) -> Level:
    """A parent's children are the events that begin before its end and were not taken by an earlier one."""
    taken = np.searchsorted(below[:, 0], above[:, 1], side="left")
    return Level(above[:, 0], above[:, 1], np.concatenate([[0], taken]))
