"""What is measured of every level alone: its boundaries, and how many and how long its events are.

Without an annotated boundary everything about boundaries is undefined, whatever was predicted, so that means
over videos run over the same videos for every predictor.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.evaluation.measures import UNDEFINED, Measure, Measures, of_ratio
from streamer.metrics import (
    THRESHOLDS,
    LabelledSegment,
    Ratio,
    Segment,
    boundary_deviation,
    boundary_scores,
    event_lengths,
    interior_boundaries,
    relative_distance_f1,
)

TOLERANCES = (0.5, 1.0, 3.0)
"""Seconds within which boundaries match."""

HEADLINE_THRESHOLD = 0.05
"""Distance, as a share of the video's length, at which F1@Rel.Dis is usually given."""


def measure_events(events: Sequence[Segment] | Sequence[LabelledSegment]) -> dict[str, Measure]:
    """Counts events and tells how long they are.

    Returns:
        events, and event_length_{mean,median,shortest,longest}_s.
    """
    lengths = event_lengths(events)
    return {
        "events": Measure(float(lengths.count)),
        "event_length_mean_s": Measure(lengths.mean_s),
        "event_length_median_s": Measure(lengths.median_s),
        "event_length_shortest_s": Measure(lengths.shortest_s),
        "event_length_longest_s": Measure(lengths.longest_s),
    }


def measure_boundaries(
    levels: Sequence[Sequence[Segment]], truth: Sequence[LabelledSegment], *, duration: float
) -> Measures:
    """Holds the boundaries of every level against those of one level of annotation.

    Returns:
        Per level boundary_{precision,recall,f1}@{0.5s,1s,3s}, gebd_f1@0.05, gebd_f1_mean (over
        `THRESHOLDS`), and the median seconds from a boundary to the nearest one on the other side:
        boundary_distance_s (from annotated ones) and boundary_distance_back_s (from predicted ones).
    """
    annotated = interior_boundaries(truth, duration)
    measured: dict[tuple[int | None, str], Measure] = {}
    for index, level in enumerate(levels):
        predicted = interior_boundaries(level, duration)
        measures = _within_tolerances(predicted, annotated, duration)
        measures |= _within_relative_distances(predicted, annotated, duration)
        deviation = boundary_deviation(predicted, annotated)
        measures["boundary_distance_s"] = Measure(deviation.truth_to_predicted_s)
        measures["boundary_distance_back_s"] = Measure(deviation.predicted_to_truth_s)
        if not len(annotated):
            measures = dict.fromkeys(measures, UNDEFINED)
        measured |= {(index, metric): measure for metric, measure in measures.items()}
    return measured


def _within_tolerances(predicted: np.ndarray, annotated: np.ndarray, duration: float) -> dict[str, Measure]:
    measures: dict[str, Measure] = {}
    for tolerance in TOLERANCES:
        scores = boundary_scores(predicted, annotated, duration=duration, tolerance=tolerance)
        matched = round(scores.recall * len(annotated)) if len(annotated) else 0
        precision = of_ratio(Ratio(matched, len(predicted)))
        parts = {
            # Without a prediction the precision is 0 by definition, but no share of anything.
            "precision": precision if len(predicted) else Measure(scores.precision),
            "recall": of_ratio(Ratio(matched, len(annotated))),
            "f1": of_ratio(Ratio(2 * matched, len(predicted) + len(annotated))),
        }
        measures |= {f"boundary_{part}@{tolerance:g}s": measure for part, measure in parts.items()}
    return measures


def _within_relative_distances(
    predicted: np.ndarray, annotated: np.ndarray, duration: float
) -> dict[str, Measure]:
    at = {
        threshold: relative_distance_f1(predicted, annotated, duration=duration, threshold=threshold)
        for threshold in THRESHOLDS
    }
    # The denominator is the same at every threshold, so the mean is a share too.
    mean = Ratio(sum(ratio.numerator for ratio in at.values()) / len(at), at[HEADLINE_THRESHOLD].denominator)
    return {
        f"gebd_f1@{HEADLINE_THRESHOLD:g}": of_ratio(at[HEADLINE_THRESHOLD]),
        "gebd_f1_mean": of_ratio(mean),
    }
