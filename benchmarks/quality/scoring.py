"""What is measured of a prediction: rows of the evaluation's own table, and the signal's area beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.quality.material import ALL_KINDS, KnownVideo
from benchmarks.quality.predicting import Predicted
from benchmarks.quality.ranking import FIRST_MINUTE, LEARNED, WHOLE, area
from benchmarks.quality.watching import SNIPPET_S
from pipelines.annotations import clip_to_duration
from pipelines.evaluation.boundaries import measure_boundaries, measure_events
from pipelines.evaluation.measures import Measure, Measures, average, of_ratio
from pipelines.evaluation.reduction import measure_reduction
from pipelines.evaluation.scores import ALL_LEVELS
from pipelines.evaluation.trees import measure_trees

SIGNAL = "signal"
"""Stands in the place of a level of annotation for what is measured of the signal."""

KINDS: Mapping[str, Sequence[str]] = {
    "cut": ("cut",),
    "fade": ("fade",),
    "cut+fade": ("cut", "fade"),
    "change": ("change",),
    "pattern": ("pattern",),
    ALL_KINDS: (ALL_KINDS,),
}
"""Kinds of boundary for which the area is given."""


def measure(predicted: Sequence[Predicted], video: KnownVideo, duration_s: float) -> dict[str, Measures]:
    """Measures the draws or seeds of one predictor on one video, taken together.

    Args:
        predicted: one per draw or seed.
        video: with the truth.
        duration_s: measured.

    Returns:
        Per level of annotation, `ALL_LEVELS` and `SIGNAL`, the measures.
    """
    truth = {name: clip_to_duration(events, duration_s)[0] for name, events in video.truth.items()}
    drawn = [dict(_measure_one(one, truth, video, duration_s)) for one in predicted]
    return {name: average([draw[name] for draw in drawn]) for name in drawn[0]}


def _measure_one(
    predicted: Predicted, truth: Mapping[str, list], video: KnownVideo, duration_s: float
) -> Iterator[tuple[str, Measures]]:
    levels = predicted.levels
    for name, events in truth.items():
        measures = {
            **measure_reduction(levels, events, duration=duration_s, fps=video.fps),
            **measure_boundaries(levels, events, duration=duration_s),
        }
        for index, level in enumerate(levels):
            measures |= {(index, metric): value for metric, value in measure_events(level).items()}
        yield name, {**measures, **_nearest_count(measures, len(events))}
    yield ALL_LEVELS, measure_trees(levels, list(truth.values()), duration=duration_s, labelled=False)
    if predicted.worse is not None:
        yield SIGNAL, measure_signal(predicted.worse, video)


def measure_signal(worse: np.ndarray, video: KnownVideo) -> dict[tuple[int | None, str], Measure]:
    """The area under the ROC curve by kind of boundary and part of the video; see `ranking.py`."""
    every = video.times()
    return {
        (None, f"auc {name}, {period.name}"): of_ratio(
            area(worse, video.times(kinds), every, snippet_size=SNIPPET_S, period=period)
        )
        for name, kinds in KINDS.items()
        for period in (WHOLE, FIRST_MINUTE, LEARNED)
    }


def _nearest_count(measures: Measures, events: int) -> Measures:
    """Boundary F1 of the level whose number of events is nearest to the true one, by their ratio."""
    counts = {level: found.value for (level, metric), found in measures.items() if metric == "events"}
    level = min(counts, key=lambda level: abs(np.log(counts[level] / max(1, events))))
    kept = ("boundary_f1@0.5s", "boundary_f1@1s", "events")
    return {(None, f"nearest_count_{metric}"): measures[level, metric] for metric in kept}
