"""Scores of one video's hierarchy beside those of the blind floors.

Everything is a tidy row: one value of one metric, of one predictor, against one level of annotation. An
undefined value is nan; means leave it out and the summary counts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.evaluation.boundaries import measure_boundaries, measure_events
from pipelines.evaluation.measures import Measure, Measures, average
from pipelines.evaluation.predictors import STREAMER, Levels, floor_hierarchies, in_order
from pipelines.evaluation.reduction import measure_reduction
from pipelines.evaluation.scores import TRUTH, Score
from pipelines.truth import clip_to_duration
from streamer.metrics import LabelledSegment


@dataclass(frozen=True)
class Protocol:
    """What is the same for all videos of an evaluation.

    Attributes:
        predictor: what the run's own predictor is called.
        seed: determines the random floor.
        labelled: levels of annotation whose events have labels.
        background: labels that mean that nothing is annotated.
    """

    predictor: str = STREAMER
    seed: int = 0
    labelled: frozenset[str] = frozenset()
    background: frozenset[str] = frozenset()


def score_video(
    video_id: str,
    levels: Levels,
    truth_levels: Mapping[str, Sequence[LabelledSegment]],
    *,
    duration: float,
    fps: float,
    protocol: Protocol,
) -> list[Score]:
    """Scores a hierarchy and the floors against every level of annotation of one video.

    Annotations that reach past the end of the video are cut there and counted. The uniform floor is told
    the true number of events; the random floor is several draws, whose shares are pooled and whose other
    values are averaged.

    Args:
        video_id: the video; with the seed it determines the random floor.
        levels: predicted events in seconds, finest level first, every level tiling the video.
        truth_levels: per level of annotation its events in seconds.
        duration: length of the video in seconds.
        fps: frames per second of the video, on which the MoF is counted.
        protocol: what is the same for all videos.

    Returns:
        Scores ordered by level of annotation, predictor and level.
    """
    scores: list[Score] = []
    for name, given in truth_levels.items():
        truth, clipped = clip_to_duration(given, duration)
        counts = {**measure_events(truth), "events_clipped": Measure(float(clipped))}
        measures: Measures = {(None, metric): measure for metric, measure in counts.items()}
        scores += _rows(video_id, TRUTH, name, measures)
        floors = floor_hierarchies(video_id, [len(truth)], duration=duration, seed=protocol.seed)
        candidates = {**floors, protocol.predictor: [levels]}
        for predictor in in_order(protocol.predictor):
            measured = [_measure(draw, truth, duration=duration, fps=fps) for draw in candidates[predictor]]
            scores += _rows(video_id, predictor, name, average(measured))
    return scores


def _measure(levels: Levels, truth: Sequence[LabelledSegment], *, duration: float, fps: float) -> Measures:
    measured = measure_reduction(levels, truth, duration=duration, fps=fps)
    measured |= measure_boundaries(levels, truth, duration=duration)
    for index, level in enumerate(levels):
        measured |= {(index, metric): measure for metric, measure in measure_events(level).items()}
    return measured


def _rows(video_id: str, predictor: str, truth_level: str, measures: Measures) -> list[Score]:
    return [
        Score(
            video_id,
            predictor,
            truth_level,
            level,
            metric,
            measure.value,
            measure.numerator,
            measure.denominator,
        )
        for (level, metric), measure in measures.items()
    ]
