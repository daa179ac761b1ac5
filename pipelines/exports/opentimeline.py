"""OpenTimelineIO: a timeline with a track per level, whose clips refer to the recording.

Times are whole frames of the recording. An event begins with the frame on screen at its start, which is the
first frame of it that the model saw, and ends before the frame on screen at its end.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from pipelines.exports.media import Media
from pipelines.exports.text import writable
from pipelines.exports.video import ExportedVideo

MILLISECONDS = Fraction(1000)  # the rate where the recording has none
ROUNDING_FRAMES = Fraction(1, 1000)  # a time this near to a frame's start is at it


def opentimeline(video: ExportedVideo) -> bytes:
    """The levels of `video` as tracks, finest first."""
    rate = frame_rate(video)
    reference = _reference(video, rate)
    video_id = writable(video.hierarchy.video_id)  # the library's texts end at a zero byte
    timeline = otio.schema.Timeline(name=video_id, metadata={"streamer": {"video_id": video_id}})
    for level in video.levels:
        track = otio.schema.Track(name=f"level {level}", kind=otio.schema.TrackKind.Video)
        parents = video.parents(level)
        for index, name in enumerate(video.names[level]):
            event = video.hierarchy.levels[level][index]
            track.append(
                otio.schema.Clip(
                    name=name,
                    media_reference=reference.clone(),
                    source_range=_source_range(video, rate, event.start_s, event.end_s, reference),
                    metadata={
                        "streamer": {
                            "level": level,
                            "event": index,
                            "parent": parents[index],
                            "start_s": event.start_s,
                            "end_s": event.end_s,
                            "mean_signal": _finite(event.mean_signal),
                            "boundary_signal": _finite(event.boundary_signal),
                        }
                    },
                )
            )
        timeline.tracks.append(track)
    return otio.adapters.write_to_string(timeline, "otio_json").encode() + b"\n"


def frame_rate(video: ExportedVideo) -> Fraction:
    """Frames per second in which the times of `video` are told.

    That is the rate of the recording, or a multiple of it where a snippet is shorter than a frame, so that
    every event has a frame.
    """
    rate = video.media.rate
    if rate is None:
        return MILLISECONDS
    return rate * max(1, math.ceil(1 / (rate * Fraction(video.hierarchy.snippet_size)) - ROUNDING_FRAMES))


def frame_on_screen(time_s: float, rate: Fraction) -> int:
    """Number of the frame on screen at a time after the first frame."""
    return math.floor(Fraction(time_s) * rate + ROUNDING_FRAMES)


def _source_range(
    video: ExportedVideo, rate: Fraction, start_s: float, end_s: float, reference: Any
) -> TimeRange:
    """Frames of an event; the last one of a video reaches to the end of its last frame."""
    media, duration_s = video.media, video.hierarchy.duration_s
    start = frame_on_screen(media.start_s + start_s, rate)
    if end_s == duration_s:
        end = math.ceil(Fraction(media.start_s + end_s) * rate - ROUNDING_FRAMES)
    else:
        end = frame_on_screen(media.start_s + end_s, rate)
    origin = reference.available_range.start_time.value if reference.available_range else 0
    frames = max(1, end - start)
    return TimeRange(RationalTime(origin + start, float(rate)), RationalTime(frames, float(rate)))


def _reference(video: ExportedVideo, rate: Fraction) -> Any:
    media = video.media
    if not media.is_video:
        return otio.schema.MissingReference(name=writable(media.uri))
    return otio.schema.ExternalReference(media.address, _available_range(media, rate))


def _available_range(media: Media, rate: Fraction) -> TimeRange | None:
    """All frames of the recording, from its own timecode on; None where its length is not known."""
    if media.duration_s is None:
        return None
    frames = math.ceil(Fraction(media.duration_s) * rate - ROUNDING_FRAMES)
    return TimeRange(
        RationalTime(_timecode_frames(media, rate), float(rate)), RationalTime(frames, float(rate))
    )


def _timecode_frames(media: Media, rate: Fraction) -> int:
    """The frame number that the recording's timecode gives its first frame; 0 without one."""
    if media.timecode is None or rate != media.rate:
        return 0
    try:
        return round(otio.opentime.from_timecode(media.timecode, float(rate)).value)
    except ValueError:  # a rate or a text for which timecode is not defined
        return 0


def _finite(value: float | None) -> float | None:
    """JSON has no other numbers."""
    return value if value is not None and math.isfinite(value) else None
