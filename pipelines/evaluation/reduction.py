"""What is measured of a whole hierarchy against one level of annotation: level reduction in two forms."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.evaluation.measures import Measure, Measures, of_ratio
from streamer.metrics import (
    LabelledSegment,
    Ratio,
    Segment,
    hierarchical_level_reduction,
    symmetric_level_reduction,
)


def measure_reduction(
    levels: Sequence[Sequence[Segment]], truth: Sequence[LabelledSegment], *, duration: float, fps: float
) -> Measures:
    """Level reduction as published, and the form that charges what is unmatched on either side.

    Returns:
        hlr_iou, hlr_mof, symmetric_precision, symmetric_recall, symmetric_f1.
    """
    published = hierarchical_level_reduction(levels, truth, duration=duration, fps=fps)
    symmetric = symmetric_level_reduction(levels, truth, duration=duration)
    frames = int(fps * duration) if truth else 0
    agreeing = round(published.mof * frames) if frames else 0
    return {
        (None, "hlr_iou"): Measure(published.iou),
        (None, "hlr_mof"): of_ratio(Ratio(agreeing, frames)),
        (None, "symmetric_precision"): of_ratio(symmetric.precision),
        (None, "symmetric_recall"): of_ratio(symmetric.recall),
        (None, "symmetric_f1"): of_ratio(symmetric.f1),
    }
