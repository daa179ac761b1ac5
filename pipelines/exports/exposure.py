"""Which picture of a video is on screen when, and to which clip it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

from av.video.frame import VideoFrame

from streamer.errors import VideoError
from streamer.video.clock import FrameClock
from streamer.video.container import BrokenStreamError, VideoFile
from streamer.video.grid import ROUNDING_S
from streamer.video.probe import first_frame

MAX_TOLERANCE_S = 0.0005  # as for snippets: a tick may be as long as a frame, which is no rounding any more
WHOLE_PICTURE_S = 0.1  # a picture on screen for less than this is not shared between two clips
USUAL_RATE = 25  # frames per second, of videos that tell none


@dataclass(frozen=True)
class Picture:
    """A decoded frame, on screen in [start_s, end_s) seconds after the first frame.

    Attributes:
        frame: the frame.
        start_s: when it appears.
        end_s: when the next one appears.
    """

    frame: VideoFrame
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Exposure:
    """A picture, or a part of its time, in a clip.

    Attributes:
        clip: number of the clip.
        picture: what is shown.
        start_s: from when on, in seconds after the video's first frame.
        end_s: until when.
    """

    clip: int
    picture: Picture
    start_s: float
    end_s: float


class PictureReader:
    """Reads the pictures of a video in one pass, by the clock of its snippets; a context manager.

    Args:
        uri: path or address.

    Attributes:
        stream: the video in it.
        first: its first frame.
        origin: what the container's clock shows at the first frame, in seconds.
        tolerance_s: how far stamps may be off by rounding.

    Raises:
        VideoError: it cannot be opened, or its first frame cannot be decoded.
    """

    def __init__(self, uri: str) -> None:
        self._file = VideoFile(uri)
        self._frames = self._file.frames()
        try:
            self.first = first_frame(self._file, self._frames)
        except VideoError:
            self._file.close()
            raise
        self.stream = self._file.stream
        self.origin: Fraction = (self.first.pts or 0) * self._file.time_base
        self.tolerance_s = min(float(self._file.time_base) / 2, MAX_TOLERANCE_S)

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def pictures(self, until_s: float) -> Iterator[Picture]:
        """Yields all pictures, in the order on screen.

        Args:
            until_s: how far the video must be readable, in seconds after the first frame.

        Raises:
            VideoError: after the last whole picture, where the video breaks or ends before `until_s`.
        """
        rate = self.stream.average_rate or self.stream.guessed_rate or USUAL_RATE
        clock = FrameClock(self._file.time_base, round(1 / (rate * self._file.time_base)))
        frame = self.first
        span = clock.stamp(frame.pts, frame.dts, frame.duration)
        reason = "ends before its last event does"
        try:
            for following in self._frames:
                assert isinstance(following, VideoFrame), "nothing is skipped"
                after = clock.stamp(following.pts, following.dts, following.duration)
                if after.start_s > span.start_s:  # else it is never seen
                    yield Picture(frame, span.start_s, after.start_s)
                frame, span = following, after
        except BrokenStreamError as error:
            reason = f"decoding breaks ({error.reason})"
        yield Picture(frame, span.start_s, span.end_s)
        if span.end_s + 1 / rate < until_s:  # decoders differ about the length of the last picture
            raise VideoError(self._file.uri, f"{reason}; replace it, or segment it again", span.end_s)


def exposures(shown: Iterable[Picture], bounds: Sequence[float], tolerance_s: float) -> Iterator[Exposure]:
    """Deals pictures to the clips [bounds[i], bounds[i + 1]), in the order on screen.

    A clip begins with the picture on screen at its first bound, which is the first one of the event that the
    model saw, and ends before the picture on screen at its second. Clips so share no picture, save one that
    stands on screen for `WHOLE_PICTURE_S` or more before a bound (a gap, or few frames per second): that is
    shown by both, up to the bound and from it on.

    Args:
        shown: pictures in order, without gaps.
        bounds: seconds after the first frame, increasing.
        tolerance_s: a picture that appears at most this much after a bound counts as on screen at it.
    """
    clip, cut_s = -1, float("-inf")
    for picture in shown:
        since_s = picture.start_s
        while clip + 1 < len(bounds) and bounds[clip + 1] + tolerance_s < picture.end_s:
            bound_s = bounds[clip + 1]
            stood_s = bound_s - picture.start_s
            is_whole = stood_s < WHOLE_PICTURE_S - ROUNDING_S and picture.start_s > cut_s
            cut_s = picture.start_s if is_whole else max(bound_s, since_s)
            if clip >= 0 and since_s < cut_s:
                yield Exposure(clip, picture, since_s, cut_s)
            clip, since_s = clip + 1, cut_s
        if clip == len(bounds) - 1:
            return
        if clip >= 0:
            yield Exposure(clip, picture, since_s, picture.end_s)
