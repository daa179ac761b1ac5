"""What a video says of itself, and whether its first frame can be decoded."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.video.frame import VideoFrame

from streamer.errors import VideoError
from streamer.video.container import BrokenStreamError, Frame, VideoFile

SHORTFALL_S = 1.0
# Formats that store a duration; for others FFmpeg estimates one from the size or from the end of the file.
STORES_DURATION = ("mov", "matroska", "avi", "flv", "asf")
# Formats whose stored duration counts from the container's time 0 rather than from the first frame.
STORES_END = ("matroska", "flv")


@dataclass(frozen=True)
class VideoInfo:
    """What a video declares.

    Attributes:
        duration_s: declared duration in seconds from the first frame, of the video stream where the container
            has it, else of the container; None if there is none.
        stored: whether that duration is stored in the file (else FFmpeg estimated it).
        own: whether that duration is the video stream's (else that of the longest stream).
        width: pixels, as displayed (after rotation).
        height: pixels, as displayed.
        rotation: degrees by which the coded picture is turned counterclockwise for display: 0, 90, 180, 270.
        fps: average frames per second; None if unknown.
        frames: number of frames; None if the container does not store it.
        codec: name of the codec, such as `h264`.
        container: FFmpeg's names of the container format, separated by commas.
    """

    duration_s: float | None
    stored: bool
    own: bool
    width: int
    height: int
    rotation: int
    fps: float | None
    frames: int | None
    codec: str
    container: str


def probe(uri: str | os.PathLike[str]) -> VideoInfo:
    """Opens a video and decodes its first frame.

    Args:
        uri: path or address.

    Raises:
        VideoError: it cannot be opened, has no video stream, there is no decoder for it, or the first frame
            cannot be decoded.
    """
    file = VideoFile(os.fspath(uri))
    try:
        return describe(file, first_frame(file, file.frames()))
    finally:
        file.close()


def first_frame(file: VideoFile, frames: Iterator[Frame]) -> VideoFrame:
    """Takes the first frame from the frames of a file that was just opened.

    Raises:
        VideoError: there is none that can be decoded.
    """
    try:
        frame = next(frames, None)
    except BrokenStreamError as error:
        raise VideoError(
            file.uri, f"first frame cannot be decoded ({error.reason}); replace or re-encode it"
        ) from error
    if frame is None:
        raise VideoError(file.uri, "has no frame that can be decoded; replace or re-encode it")
    assert isinstance(frame, VideoFrame), "nothing is skipped yet"
    return frame


def describe(file: VideoFile, first: VideoFrame) -> VideoInfo:
    """What the opened file declares; `first` is its first frame."""
    stream = file.stream
    rotation = round(first.rotation / 90) % 4 * 90
    size = (first.width, first.height) if rotation % 180 == 0 else (first.height, first.width)
    rate = stream.average_rate or stream.guessed_rate
    duration_s, own = _declared_duration(file, first)
    return VideoInfo(
        duration_s=duration_s,
        stored=duration_s is not None and file.is_format(STORES_DURATION),
        own=own,
        width=size[0],
        height=size[1],
        rotation=rotation,
        fps=float(rate) if rate else None,
        frames=stream.frames or None,
        codec=stream.codec_context.codec.canonical_name,
        container=file.container.format.name,
    )


def ends_early(info: VideoInfo, measured_s: float, frame_s: float, others_end_s: float | None) -> bool:
    """Whether a video that was read to its end is clearly shorter than it declares.

    Clearly is by more than `SHORTFALL_S` and by more than two frames. Where only the duration of the longest
    stream is known, the video is short only if no other stream reaches that end either.

    Args:
        info: what it declares.
        measured_s: where its last frame ended, in seconds after the first frame.
        frame_s: display duration of the last frame.
        others_end_s: where the streams beside the video ended, in seconds after the first frame; None if
            there was nothing in them.
    """
    if info.duration_s is None or not info.stored:
        return False
    latest_s = info.duration_s - max(SHORTFALL_S, 2 * frame_s)
    if measured_s >= latest_s:
        return False
    return info.own or others_end_s is None or others_end_s < latest_s


def _declared_duration(file: VideoFile, first: VideoFrame) -> tuple[float | None, bool]:
    """Seconds from the first frame to the declared end, and whether that is the video stream's own end."""
    stream, container = file.stream, file.container
    first_s = float((first.pts or 0) * file.time_base) if file.is_format(STORES_END) else 0.0
    if file.is_format(("avi",)) and stream.frames:
        return float(
            stream.frames * file.time_base
        ), True  # FFmpeg's own figure shrinks with a file that was cut
    if stream.duration is not None:
        return float(stream.duration * file.time_base), True
    tag_s = _clock_time_s(stream.metadata.get("DURATION", ""))
    if tag_s is not None:
        return tag_s - first_s, True
    if container.duration is not None:
        return float(Fraction(container.duration, 1_000_000)) - first_s, len(container.streams) == 1
    return None, False


def _clock_time_s(text: str) -> float | None:
    """Seconds from `HH:MM:SS.fraction`; None if it is not of that form."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip())
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else None
