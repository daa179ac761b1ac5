"""Scores of event hierarchies against annotations, and the blind floors to read them by."""

from streamer.metrics.boundaries import (
    BoundaryDeviation,
    BoundaryScores,
    boundary_deviation,
    boundary_scores,
    interior_boundaries,
)
from streamer.metrics.floors import dyadic_grid, fixed_period, random_nested, uniform
from streamer.metrics.intervals import (
    Interval,
    PairedDifference,
    bootstrap_interval,
    paired_difference,
    paired_pooled_difference,
    pooled_interval,
)
from streamer.metrics.labels import MatchedLabels, frame_labels, matched_labels
from streamer.metrics.lengths import EventLengths, event_lengths
from streamer.metrics.level_reduction import LevelReduction, hierarchical_level_reduction
from streamer.metrics.ratio import Ratio
from streamer.metrics.relative_distance import THRESHOLDS, relative_distance_f1
from streamer.metrics.representations import Retrieval, event_retrieval, knn_probe
from streamer.metrics.segmental import OVERLAPS, edit_score, segmental_f1
from streamer.metrics.segments import LabelledSegment, Segment, Segments
from streamer.metrics.symmetric import SymmetricReduction, symmetric_level_reduction
from streamer.metrics.tree_agreement import TreeAgreement, l_measure, t_measure

__all__ = [
    "OVERLAPS",
    "THRESHOLDS",
    "BoundaryDeviation",
    "BoundaryScores",
    "EventLengths",
    "Interval",
    "LabelledSegment",
    "LevelReduction",
    "MatchedLabels",
    "PairedDifference",
    "Ratio",
    "Retrieval",
    "Segment",
    "Segments",
    "SymmetricReduction",
    "TreeAgreement",
    "bootstrap_interval",
    "boundary_deviation",
    "boundary_scores",
    "dyadic_grid",
    "edit_score",
    "event_lengths",
    "event_retrieval",
    "fixed_period",
    "frame_labels",
    "hierarchical_level_reduction",
    "interior_boundaries",
    "knn_probe",
    "l_measure",
    "matched_labels",
    "paired_difference",
    "paired_pooled_difference",
    "pooled_interval",
    "random_nested",
    "relative_distance_f1",
    "segmental_f1",
    "symmetric_level_reduction",
    "t_measure",
    "uniform",
]
