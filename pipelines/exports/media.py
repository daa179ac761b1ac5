"""The recording that a hierarchy is of, as the files of other tools refer to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.manifest import is_url
from streamer.errors import VideoError
from streamer.video.container import VideoFile
from streamer.video.probe import describe, first_frame

MAX_RATE_DENOMINATOR = 1001  # of 30000/1001 and its like; `videos.parquet` stores rates as float64
MICROSECONDS = 1_000_000  # per second; the unit of a container's own times


@dataclass(frozen=True)
class Media:
    """A recording.

    Attributes:
        uri: absolute path, or http(s) address.
        is_video: whether it is a video; else its events were found in vectors.
        rate: frames per second; None where unknown.
        start_s: seconds after the first frame at which the hierarchy begins.
        first_frame_s: what the clock of a player shows at the first frame, which is not 0 where sound begins
            before the picture.
        duration_s: seconds from the first frame to the end of the recording; None where unknown.
        timecode: of the first frame, as the file stores it; None where it stores none.
    """

    uri: str
    is_video: bool
    rate: Fraction | None
    start_s: float
    first_frame_s: float = 0.0
    duration_s: float | None = None
    timecode: str | None = None

    @property
    def player_offset_s(self) -> float:
        """What a player's clock shows at time 0 of the hierarchy."""
        return self.first_frame_s + self.start_s

    @property
    def address(self) -> str:
        """The recording as an address: `file:///...` or `http(s)://...`."""
        return self.uri if is_url(self.uri) else Path(self.uri).as_uri()


def recorded_media(row: Mapping[str, Any]) -> Media:
    """What `videos.parquet` tells of a recording, which is not opened.

    Args:
        row: a row of `videos.parquet`, of a video that is done.
    """
    start_s = row["start_s"] or 0.0
    return Media(
        uri=row["uri"],
        is_video=row["kind"] == "video",
        rate=Fraction(row["fps"]).limit_denominator(MAX_RATE_DENOMINATOR) if row["fps"] else None,
        start_s=start_s,
        duration_s=None if row["end_s"] is not None else start_s + row["duration_s"],
    )


def opened_media(row: Mapping[str, Any]) -> Media:
    """What `videos.parquet` and the recording itself tell.

    Raises:
        VideoError: it cannot be opened, or its first frame cannot be decoded.
    """
    known = recorded_media(row)
    file = VideoFile(known.uri)
    try:
        frame = first_frame(file, file.frames())
        declared_s = describe(file, frame).duration_s
        start = file.container.start_time
        first_frame_s = 0.0
        if frame.pts is not None and start is not None:
            first_frame_s = float(frame.pts * file.time_base - Fraction(start, MICROSECONDS))
        return Media(
            uri=known.uri,
            is_video=True,
            rate=known.rate,
            start_s=known.start_s,
            first_frame_s=max(0.0, first_frame_s),
            duration_s=known.duration_s or declared_s,
            timecode=file.stream.metadata.get("timecode") or file.container.metadata.get("timecode"),
        )
    finally:
        file.close()


def find_media(row: Mapping[str, Any]) -> tuple[Media, bool]:
    """The recording of a video, opened if it is a file that can be.

    Returns:
        What is known of it, and whether a player's clock at its first frame is known too.
    """
    if row["kind"] != "video" or is_url(row["uri"]):
        return recorded_media(row), row["kind"] != "video"
    try:
        return opened_media(row), True
    except VideoError:
        return recorded_media(row), False
