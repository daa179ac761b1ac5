"""What is measured of every level alone: its boundaries, and how many and how long its events are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.evaluation.measures import UNDEFINED, Measure, Measures, share
from streamer.metrics import LabelledSegment, Segment, boundary_scores, interior_boundaries

TOLERANCES = (0.5, 1.0, 3.0)
"""Seconds within which boundaries match."""


def measure_events(events: Sequence[Segment] | Sequence[LabelledSegment]) -> dict[str, Measure]:
    """Counts events and tells how long they are: events, event_length_mean_s, event_length_median_s."""
    lengths = np.array([event[1] - event[0] for event in events])
    return {
        "events": Measure(float(len(events))),
        "event_length_mean_s": Measure(float(lengths.mean())) if len(events) else UNDEFINED,
        "event_length_median_s": Measure(float(np.median(lengths))) if len(events) else UNDEFINED,
    }


def measure_boundaries(
    levels: Sequence[Sequence[Segment]], truth: Sequence[LabelledSegment], *, duration: float
) -> Measures:
    """Holds the boundaries of every level against those of one level of annotation."""
    annotated = interior_boundaries(truth, duration)
    measured: Measures = {}
    for index, level in enumerate(levels):
        predicted = interior_boundaries(level, duration)
        for tolerance in TOLERANCES:
            measured |= {
                (index, f"boundary_{part}@{tolerance:g}s"): measure
                for part, measure in _agreement(predicted, annotated, duration, tolerance).items()
            }
    return measured


def _agreement(
    predicted: np.ndarray, annotated: np.ndarray, duration: float, tolerance: float
) -> dict[str, Measure]:
    scores = boundary_scores(predicted, annotated, duration=duration, tolerance=tolerance)
    if not len(annotated):
        return dict.fromkeys(("precision", "recall", "f1"), UNDEFINED)
    matched = round(scores.recall * len(annotated))
    return {
        # Without a prediction the precision is 0 by definition, but a share of nothing.
        "precision": share(matched, len(predicted)) if len(predicted) else Measure(scores.precision),
        "recall": share(matched, len(annotated)),
        "f1": share(2 * matched, len(predicted) + len(annotated)),
    }
