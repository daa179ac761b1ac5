"""Scores of event hierarchies against annotations, and the blind floors to read them by."""

from streamer.metrics.boundaries import BoundaryScores, boundary_scores, interior_boundaries
from streamer.metrics.floors import dyadic_grid, fixed_period, random_nested, uniform
from streamer.metrics.labels import MatchedLabels, frame_labels, matched_labels
from streamer.metrics.level_reduction import LevelReduction, hierarchical_level_reduction
from streamer.metrics.ratio import Ratio
from streamer.metrics.relative_distance import THRESHOLDS, relative_distance_f1
from streamer.metrics.segmental import OVERLAPS, edit_score, segmental_f1
from streamer.metrics.segments import LabelledSegment, Segment
from streamer.metrics.tree_agreement import TreeAgreement, l_measure, t_measure

__all__ = [
    "OVERLAPS",
    "THRESHOLDS",
    "BoundaryScores",
    "LabelledSegment",
    "LevelReduction",
    "MatchedLabels",
    "Ratio",
    "Segment",
    "TreeAgreement",
    "boundary_scores",
    "dyadic_grid",
    "edit_score",
    "fixed_period",
    "frame_labels",
    "hierarchical_level_reduction",
    "interior_boundaries",
    "l_measure",
    "matched_labels",
    "random_nested",
    "relative_distance_f1",
    "segmental_f1",
    "t_measure",
    "uniform",
]
