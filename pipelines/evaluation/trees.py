"""What is measured of a whole hierarchy against all annotated levels of a video together, as one tree."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.evaluation.measures import Measure, Measures
from streamer.metrics import LabelledSegment, Segment, TreeAgreement, l_measure, t_measure


def measure_trees(
    levels: Sequence[Sequence[Segment]],
    truth_levels: Sequence[Sequence[LabelledSegment]],
    *,
    duration: float,
    labelled: bool,
) -> Measures:
    """T-measure, full and reduced, and with labels the L-measure.

    Args:
        levels: predicted events in seconds, finest level first.
        truth_levels: annotated events in seconds, levels in any order.
        duration: length of the video in seconds.
        labelled: whether the annotated events have labels.

    Returns:
        {t_full,t_reduced,l}_{precision,recall,f1}.
    """
    agreements = {
        "t_full": t_measure(levels, truth_levels, duration=duration, transitive=True),
        "t_reduced": t_measure(levels, truth_levels, duration=duration, transitive=False),
    }
    if labelled:
        agreements["l"] = l_measure(levels, [_named(level) for level in truth_levels], duration=duration)
    return {
        (None, f"{name}_{part}"): Measure(value)
        for name, agreement in agreements.items()
        for part, value in _parts(agreement).items()
    }


def _named(level: Sequence[LabelledSegment]) -> list[LabelledSegment]:
    """Gives events without label names of their own: they are like nothing else."""
    return [(start, end, label or f"\0{place}") for place, (start, end, label) in enumerate(level)]


def _parts(agreement: TreeAgreement) -> dict[str, float]:
    return {"precision": agreement.precision, "recall": agreement.recall, "f1": agreement.f1}
