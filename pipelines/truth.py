"""Annotations under the name that the rest of the package imports them by; see `pipelines.annotations`."""

from pipelines.annotations import ROUNDING_S, Truth, clip_to_duration, read_truth

__all__ = ["ROUNDING_S", "Truth", "clip_to_duration", "read_truth"]
