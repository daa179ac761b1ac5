"""Scores of one video's hierarchy beside those of the blind floors.

Everything is a tidy row: one value of one metric, of one predictor, against one level of annotation. An
undefined value is nan; means leave it out and the summary counts it.

A background label means that nothing is annotated there, so its rows are no events. Only the accuracy of
frames counts them as of one label more (see `labels.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.annotations import clip_to_duration
from pipelines.evaluation.boundaries import measure_boundaries, measure_events
from pipelines.evaluation.labels import AnnotatedFrames, measure_events_as_clusters
from pipelines.evaluation.measures import Measure, Measures, average, rows
from pipelines.evaluation.predictors import STREAMER, Levels, floor_hierarchies, in_order
from pipelines.evaluation.reduction import measure_reduction
from pipelines.evaluation.representations import measure_clusters
from pipelines.evaluation.scores import ALL_LEVELS, TRUTH, Score
from pipelines.evaluation.trees import measure_trees
from streamer.metrics import LabelledSegment


@dataclass(frozen=True)
class Protocol:
    """What is the same for all videos of an evaluation.

    Attributes:
        predictor: what the run's own predictor is called.
        seed: determines the random floor, and the clustering of representations.
        labelled: levels of annotation whose events have labels.
        background: labels that mean that nothing is annotated.
    """

    predictor: str = STREAMER
    seed: int = 0
    labelled: frozenset[str] = frozenset()
    background: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is scored of one video.

    Attributes:
        video_id: the video; with the seed it determines the random floor.
        levels: events in seconds, finest level first, every level tiling the video.
        duration: length of the video in seconds.
        fps: frames per second of the video, on which the MoF is counted.
        representations: per level vectors [n, D], a row of NaN where an event has none; None where the
            predictor makes none.
    """

    video_id: str
    levels: Levels
    duration: float
    fps: float
    representations: Sequence[np.ndarray] | None = None


def score_video(
    prediction: Prediction, truth_levels: Mapping[str, Sequence[LabelledSegment]], protocol: Protocol
) -> list[Score]:
    """Scores a hierarchy and the floors against every level of annotation of one video, and all together.

    Annotations that reach past the end of the video are cut there and counted. The uniform floor is told
    the true number of events; the random floor is several draws, whose shares are pooled and whose other
    values are averaged.

    Args:
        prediction: the hierarchy.
        truth_levels: per level of annotation its events in seconds.
        protocol: what is the same for all videos.

    Returns:
        Scores ordered by level of annotation, predictor and level.
    """
    scores: list[Score] = []
    events: dict[str, list[LabelledSegment]] = {}
    for name, given in truth_levels.items():
        inside, clipped = clip_to_duration(given, prediction.duration)
        events[name] = [event for event in inside if event[2] not in protocol.background]
        counts = {**measure_events(events[name]), "events_clipped": Measure(float(clipped))}
        whole: Measures = {(None, metric): measure for metric, measure in counts.items()}
        scores += rows(prediction.video_id, TRUTH, name, whole)
        scores += _score_level(prediction, name, inside, events[name], protocol)
    return scores + _score_trees(prediction, events, protocol)


def _score_level(
    prediction: Prediction,
    name: str,
    inside: Sequence[LabelledSegment],
    events: Sequence[LabelledSegment],
    protocol: Protocol,
) -> list[Score]:
    """Scores of all predictors against one level of annotation: its `events`, and all that is `inside`."""
    frames = None
    if name in protocol.labelled:
        frames = AnnotatedFrames(inside, duration=prediction.duration, background=protocol.background)
    scores: list[Score] = []
    for predictor, draws in _candidates(prediction, [len(events)], protocol).items():
        measures = average([_measure(draw, events, frames, prediction) for draw in draws])
        if predictor == protocol.predictor and frames is not None and prediction.representations is not None:
            seed = protocol.seed
            measures |= measure_clusters(prediction.levels, prediction.representations, frames, seed)
        scores += rows(prediction.video_id, predictor, name, measures)
    return scores


def _measure(
    levels: Levels, events: Sequence[LabelledSegment], frames: AnnotatedFrames | None, prediction: Prediction
) -> Measures:
    measured = {
        **measure_reduction(levels, events, duration=prediction.duration, fps=prediction.fps),
        **measure_boundaries(levels, events, duration=prediction.duration),
    }
    for index, level in enumerate(levels):
        measured |= {(index, metric): measure for metric, measure in measure_events(level).items()}
    return measured if frames is None else {**measured, **measure_events_as_clusters(levels, frames)}


def _score_trees(
    prediction: Prediction, events: Mapping[str, Sequence[LabelledSegment]], protocol: Protocol
) -> list[Score]:
    """Scores of all predictors against all levels of annotation together."""
    counts = sorted((len(level) for level in events.values()), reverse=True)
    labelled = not protocol.labelled.isdisjoint(events)
    scores: list[Score] = []
    for predictor, draws in _candidates(prediction, counts, protocol).items():
        measured = [
            measure_trees(draw, list(events.values()), duration=prediction.duration, labelled=labelled)
            for draw in draws
        ]
        scores += rows(prediction.video_id, predictor, ALL_LEVELS, average(measured))
    return scores


def _candidates(
    prediction: Prediction, counts: Sequence[int], protocol: Protocol
) -> dict[str, Sequence[Levels]]:
    """The run's own hierarchy and the floors, in the order of tables; `counts` is what uniform is told."""
    video_id, duration = prediction.video_id, prediction.duration
    floors = floor_hierarchies(video_id, counts, duration=duration, seed=protocol.seed)
    candidates = {**floors, protocol.predictor: [prediction.levels]}
    return {name: candidates[name] for name in in_order(protocol.predictor)}
