"""Predictors that never see a pixel: the very floors that stand beside every score."""

from __future__ import annotations

import zlib

from pipelines.annotations import Truth, clip_to_duration
from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.prediction import Annotated, Prediction, WatchedVideo
from pipelines.evaluation.predictors import floor_hierarchies
from streamer.errors import TruthError
from streamer.metrics import fixed_period


def predict_blind(video: WatchedVideo, config: BaselineConfig, annotated: Annotated) -> Prediction:
    """A floor, from the duration of a video.

    Args:
        video: of which the duration is looked at.
        config: names the floor.
        annotated: events of the level of annotation whose number `uniform` is told.
    """
    duration = video.duration_s
    if config.name == "fixed_period":
        assert config.period is not None
        levels = fixed_period(duration, config.period)
    else:
        events, _ = clip_to_duration(annotated.get(video.video_id, ()), duration)
        floors = floor_hierarchies(video.video_id, [len(events)], duration=duration, seed=config.seed or 0)
        levels = floors[config.name][0]  # of random ones the first draw
    return Prediction([[start for start, _ in level[1:]] for level in levels])


def annotated_events(truth: Truth, level: str | None) -> Annotated:
    """The events whose number `uniform` is told, without those that are background.

    Args:
        truth: the annotations.
        level: which of their levels; None where there is but one.

    Raises:
        TruthError: there is no such level, or there are several and none is named.
    """
    names = list(dict.fromkeys(name for levels in truth.videos.values() for name in levels))
    if level is None and len(names) > 1:
        raise TruthError(
            f"{truth.path}: has the levels {', '.join(names)}: name one with --truth_level, whose number of "
            "events uniform is told"
        )
    chosen = names[0] if level is None else level
    if chosen not in names:
        raise TruthError(f"{truth.path}: has no level {chosen!r}: --truth_level is one of {', '.join(names)}")
    return {
        video_id: [event for event in levels[chosen] if event[2] not in truth.background]
        for video_id, levels in truth.videos.items()
        if chosen in levels
    }


def annotated_checksum(annotated: Annotated) -> int:
    """Tells annotations apart from which other hierarchies would follow."""
    times = {video_id: [event[:2] for event in annotated[video_id]] for video_id in sorted(annotated)}
    return zlib.crc32(repr(times).encode())
