"""Scores of event hierarchies against annotations, and the blind floors to read them by."""

from streamer.metrics.boundaries import BoundaryScores, boundary_scores, interior_boundaries
from streamer.metrics.floors import dyadic_grid, fixed_period, random_nested, uniform
from streamer.metrics.level_reduction import (
    LabelledSegment,
    LevelReduction,
    Segment,
    hierarchical_level_reduction,
)

__all__ = [
    "BoundaryScores",
    "LabelledSegment",
    "LevelReduction",
    "Segment",
    "boundary_scores",
    "dyadic_grid",
    "fixed_period",
    "hierarchical_level_reduction",
    "interior_boundaries",
    "random_nested",
    "uniform",
]
