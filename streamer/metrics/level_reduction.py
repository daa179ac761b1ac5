"""Hierarchical level reduction: scores a whole hierarchy against one flat list of annotated events.

Going down from the coarsest level, every event of the hierarchy is either kept or replaced by its
children, whichever fits the annotation better. What is kept is scored twice:

- IoU: the mean, over the coarsest events that annotations were assigned to, of the intersection over
  union that the kept events reach. Events that no annotation was assigned to cost nothing here, and
  neither do annotations that lost their event to a better fitting one.
- MoF (mean over frames): the share of video frames on which "inside a kept event" and "inside an
  annotated event" agree. Labels and the places of inner boundaries play no part.

Because the choice of level is made with the annotation in hand, deep hierarchies score high even when
they are blind; the figures mean something only beside those of `streamer.metrics.floors`.

Inputs on which the published protocol has no result are handled so:

- An event that reaches across the end of an event one level up is cut there, and each piece belongs to
  the parent that it lies in (the part after the last event of the coarsest level is dropped).
- A parent whose level below has no event left for it counts as childless, and so does a parent that
  was assigned several annotations of which none overlaps a child.
- An event or annotation of zero length overlaps nothing, not even its equal.
- If no annotation overlaps any event, the IoU is nan (undefined); the MoF is still a number. Without any
  annotation both are nan.
- No event on any level, times that are not numbers, negative or backwards, and levels out of time order
  are refused.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamer.metrics.event_tree import Level, link_levels
from streamer.metrics.segments import LabelledSegment, Segment, check_positive, check_truth


@dataclass(frozen=True)
class LevelReduction:
    """Outcome of the level reduction of one video.

    Attributes:
        iou: mean intersection over union, 0 to 1; nan where it is undefined.
        mof: share of frames on which kept and annotated events agree, 0 to 1; nan where it is undefined.
        selected: the events kept, in time order of the coarsest level.
    """

    iou: float
    mof: float
    selected: list[Segment]


@dataclass(frozen=True)
class _Contenders:
    """Annotations assigned to one event: `truth` [k, 2] in seconds, and the best of their IoUs with it."""

    truth: np.ndarray
    best: float


def hierarchical_level_reduction(
    levels: Sequence[Sequence[Segment]],
    truth: Sequence[LabelledSegment],
    *,
    duration: float,
    fps: float,
    merge: bool = False,
) -> LevelReduction:
    """Scores the levels of one video against its annotated events.

    Args:
        levels: events in seconds, finest level first, each level in time order; empty levels are ignored.
            Levels need not tile the video.
        truth: annotated events in seconds with labels; gaps, overlaps and any order are allowed, and the
            order matters to `merge` alone.
        duration: length of the video in seconds.
        fps: frames per second on which the MoF is counted.
        merge: whether an annotation is joined to the one before it when both have the same label or the
            one before is "still " followed by it. The joined event ends where the later one ends.

    Returns:
        IoU, MoF and the events kept.

    Raises:
        HierarchyError: no level has an event, or a level has impossible times or is out of order.
        TruthError: an annotation has impossible times.
        StreamerError: duration or fps is not a positive number.
    """
    check_positive("level reduction", duration=duration, fps=fps)
    check_truth(truth)
    annotated = np.array([event[:2] for event in (_merged(truth) if merge else truth)]).reshape(-1, 2)
    linked = link_levels(levels)
    top = len(linked) - 1
    owned = _assign(linked[top], 0, len(linked[top].starts), annotated)
    reduced = [_reduce(linked, top, event, contenders) for event, contenders in owned.items()]
    selected = [segment for _, kept in reduced for segment in kept]
    return LevelReduction(
        iou=float(np.mean([value for value, _ in reduced])) if reduced else math.nan,
        mof=_mean_over_frames(selected, annotated, duration, fps),
        selected=selected,
    )


def _merged(truth: Sequence[LabelledSegment]) -> list[LabelledSegment]:
    """Joins repeated annotations; out of time order this can make one run backwards, to overlap nothing."""
    merged: list[LabelledSegment] = []
    for start, end, label in truth:
        if merged and merged[-1][2] in (label, f"still {label}"):
            merged[-1] = (merged[-1][0], end, merged[-1][2])
        else:
            merged.append((start, end, label))
    return merged


def _assign(level: Level, low: int, high: int, truth: np.ndarray) -> dict[int, _Contenders]:
    """Gives each annotation to the one of the events low:high that it overlaps best.

    The earliest event wins a tie; an annotation that overlaps none is given to none. Returns the events
    that were given any, in time order.
    """
    first = np.maximum(low, np.searchsorted(level.ends, truth[:, 0], side="right"))
    last = np.minimum(high, np.searchsorted(level.starts, truth[:, 1], side="left"))
    rows: dict[int, list[int]] = {}
    best: dict[int, float] = {}
    for row in np.flatnonzero(first < last).tolist():
        start, end = truth[row]
        starts, ends = level.starts[first[row] : last[row]], level.ends[first[row] : last[row]]
        overlap = np.minimum(ends, end) - np.maximum(starts, start)
        iou = overlap / (np.maximum(ends, end) - np.minimum(starts, start))
        winner = int(np.argmax(iou))
        if iou[winner] > 0:
            event = int(first[row]) + winner
            rows.setdefault(event, []).append(row)
            best[event] = max(best.get(event, 0.0), float(iou[winner]))
    return {event: _Contenders(truth[rows[event]], best[event]) for event in sorted(rows)}


def _reduce(
    levels: list[Level], depth: int, event: int, contenders: _Contenders
) -> tuple[float, list[Segment]]:
    """Value of an event that has contenders, and the events kept for it: itself or those below."""
    level = levels[depth]
    itself = (contenders.best, [level.segment(event)])
    low, high = level.first_child[event : event + 2].tolist()
    if len(contenders.truth) == 1 or low == high:
        return itself
    owned = _assign(levels[depth - 1], low, high, contenders.truth)
    if not owned:
        return itself
    reduced = [_reduce(levels, depth - 1, child, won) for child, won in owned.items()]
    mean = float(np.mean([value for value, _ in reduced]))
    if contenders.best > mean:
        return itself
    return mean, [segment for _, kept in reduced for segment in kept]


def _mean_over_frames(selected: list[Segment], truth: np.ndarray, duration: float, fps: float) -> float:
    count = int(fps * duration)
    if not len(truth) or not count:
        return math.nan
    kept = _frames(np.array(selected).reshape(-1, 2), fps, count)
    return float(np.mean(kept == _frames(truth, fps, count)))


def _frames(segments: np.ndarray, fps: float, count: int) -> np.ndarray:
    """Which of the first `count` frames lie in the union of segments [n, 2]; booleans [count]."""
    bounds = np.minimum((segments * fps).astype(np.int64), count)
    bounds = bounds[bounds[:, 0] < bounds[:, 1]]
    entered = np.bincount(bounds[:, 0], minlength=count + 1)
    left = np.bincount(bounds[:, 1], minlength=count + 1)
    return np.cumsum(entered - left)[:count] > 0
