"""What events are called: by their place, or by the annotation that they overlap most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipelines.exports.text import clock_time, one_line
from streamer.hierarchy import Hierarchy
from streamer.metrics import LabelledSegment


def event_names(
    hierarchy: Hierarchy, levels: Iterable[int], annotations: Mapping[str, Sequence[LabelledSegment]]
) -> dict[int, list[str]]:
    """Names the events of some levels.

    An event is named by the label of the annotation, of any level of annotation, that it overlaps for the
    longest time; of equal ones, by the shortest annotation, which says more. Where there is none, it is
    named by its place.

    Args:
        hierarchy: the events.
        levels: which levels.
        annotations: per level of annotation its events in seconds; may be empty.

    Returns:
        Per level the names in time order, each on one line.
    """
    labelled = [segment for events in annotations.values() for segment in events if one_line(segment[2])]
    # Sorted, so that the first of equal overlaps is the shortest.
    labelled.sort(key=lambda segment: segment[1] - segment[0])
    starts, ends = (np.array([segment[side] for segment in labelled]) for side in (0, 1))
    names: dict[int, list[str]] = {}
    for level in levels:
        names[level] = []
        for index, (start_s, end_s) in enumerate(hierarchy.segments(level)):
            name = place_name(level, index, start_s)
            if labelled:
                overlaps = np.minimum(ends, end_s) - np.maximum(starts, start_s)
                best = int(np.argmax(overlaps))
                if overlaps[best] > 0:
                    name = one_line(labelled[best][2])
            names[level].append(name)
    return names


def place_name(level: int, index: int, start_s: float) -> str:
    """`L1 e17 00:12.5`: level, index in the level, start."""
    return f"L{level} e{index} {clock_time(start_s)}"
