"""Annotations of videos: the formats of the datasets, and this project's own."""

from pipelines.annotations.reading import read_truth, truth_beside
from pipelines.annotations.truth import ROUNDING_S, Truth, clip_to_duration

__all__ = ["ROUNDING_S", "Truth", "clip_to_duration", "read_truth", "truth_beside"]
