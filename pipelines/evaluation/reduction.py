"""What is measured of a whole hierarchy against one level of annotation: level reduction."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.evaluation.measures import Measure, Measures, of_ratio
from streamer.metrics import LabelledSegment, Ratio, Segment, hierarchical_level_reduction


def measure_reduction(
    levels: Sequence[Sequence[Segment]], truth: Sequence[LabelledSegment], *, duration: float, fps: float
) -> Measures:
    """Level reduction as published: hlr_iou, hlr_mof."""
    reduction = hierarchical_level_reduction(levels, truth, duration=duration, fps=fps)
    frames = int(fps * duration)
    return {
        (None, "hlr_iou"): Measure(reduction.iou),
        (None, "hlr_mof"): of_ratio(Ratio(round(reduction.mof * frames), frames))
        if truth
        else Measure(reduction.mof),
    }
