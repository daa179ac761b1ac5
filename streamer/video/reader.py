"""Snippets of a video, in order, whichever decoder reads it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from streamer.errors import TruncatedVideoError, VideoError
from streamer.video.clock import Span
from streamer.video.container import BrokenStreamError
from streamer.video.grid import ROUNDING_S, SnippetGrid
from streamer.video.probe import VideoInfo, ends_early


@dataclass(frozen=True)
class TimedFrame:
    """A decoded frame.

    Attributes:
        span: when it is on screen.
        render: converts it to uint8 `[frame_size, frame_size, 3]`, RGB; None if it was not decoded, because
            it seemed that no snippet would show it.
    """

    span: Span
    render: Callable[[], np.ndarray] | None


class SnippetReader(ABC):
    """Single-pass iterator over the snippets of a video; a context manager that closes the file.

    Yields uint8 arrays `[frame_size, frame_size, 3]`, RGB, upright, scaled to the square without keeping the
    aspect ratio. Snippet k is the frame on screen at `grid.time_s(k)`: the last one whose time is not later.
    Where no new frame comes, the one on screen repeats. The last snippet lies before the end of the last
    frame. Frames are read when a snippet is asked for, up to the first one after it.

    Iterating raises `VideoError` where decoding breaks, after all snippets that lie before that place, and
    `TruncatedVideoError` after the last snippet if the file ends before what it declares.

    Readers of consecutive parts (`grid.first`, `grid.stop`) give together what one reader of the whole gives,
    up to the first part that delivers fewer than `stop - first` snippets: that one ends with the error of the
    whole and its duration. A part that delivers all of them says nothing about what follows.

    Attributes:
        uri: the file or address.
        info: what the video declares.
        grid: which moments are delivered.
        duration_s: measured seconds from `grid.start_s` to `grid.end_s` or to where the video ends or breaks,
            also if `grid.first` is not 0; where `grid.stop` was reached, the seconds up to there. None until
            all snippets were delivered or reading broke.
        frames_read: frames that have been looked at so far.
    """

    def __init__(self, uri: str, info: VideoInfo, grid: SnippetGrid, tolerance_s: float) -> None:
        """Starts before the first snippet.

        Args:
            uri: the file or address.
            info: what the video declares.
            grid: which moments to deliver.
            tolerance_s: how far stamps may be off by rounding; a frame that appears at most this much after a
                moment of the grid counts as on screen at that moment.
        """
        self.uri = uri
        self.info = info
        self.grid = grid
        self.duration_s: float | None = None
        self.frames_read = 0
        self._tolerance_s = tolerance_s
        self._snippets = self._read()

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        return next(self._snippets)

    def __enter__(self) -> "SnippetReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; no more snippets come."""
        self._snippets.close()
        self._close()

    @abstractmethod
    def _frames(self) -> Iterator[TimedFrame]:
        """All frames from the one on screen at `grid.seek_s(grid.first)`, or an earlier one, to the last.

        Raises:
            BrokenStreamError: where decoding breaks.
        """

    @abstractmethod
    def _frames_without_skipping(self, index: int) -> Iterator[TimedFrame] | None:
        """All frames, every one decoded, from the one on screen at `grid.seek_s(index)` or an earlier one on.

        Returns:
            The frames; None if all frames have been decoded before too.
        """

    @abstractmethod
    def _others_end_s(self) -> float | None:
        """Where the streams beside the video ended, in seconds after the first frame; None without any."""

    @abstractmethod
    def _close(self) -> None:
        """Frees the decoder."""

    def _read(self) -> Generator[np.ndarray, None, None]:
        """Samples the frames on the grid."""
        frames = self._frames()
        shown: TimedFrame | None = None
        damage: BrokenStreamError | None = None
        index = self.grid.first
        while True:
            try:
                following = next(frames, None)
            except BrokenStreamError as error:
                following, damage = None, error
            until_s = following.span.start_s if following else shown.span.end_s if shown else 0.0
            if damage is not None or self._misses(shown, until_s):
                # With frames left out it is not exactly known how far the good ones go.
                again = self._frames_without_skipping(index)
                if again is not None:
                    frames, shown, damage = again, None, None
                    continue
            if shown is not None:
                due = self._due(index, until_s)
                yield from self._copies(shown, due)
                index = due.stop
            if index == self.grid.stop:
                self.duration_s = self.grid.stop_duration_s
                return
            if following is None:
                break
            self.frames_read += 1
            shown = following
            if self.grid.end_s is not None and shown.span.start_s - self._tolerance_s >= self.grid.end_s:
                break
        self._finish(shown, damage)

    def _misses(self, shown: TimedFrame | None, until_s: float) -> bool:
        """Whether a frame that was left out is on screen at a moment of the grid: the next did not come."""
        if shown is None or shown.render is not None:
            return False
        return self.grid.takes(shown.span.start_s - self._tolerance_s, until_s - self._tolerance_s)

    def _due(self, index: int, until_s: float) -> range:
        """Snippets from `index` on at which the frame shown until `until_s` is on screen."""
        stop = index
        while self.grid.contains(stop) and self.grid.time_s(stop) + self._tolerance_s < until_s:
            stop += 1
        return range(index, stop)

    def _copies(self, frame: TimedFrame, due: range) -> Iterator[np.ndarray]:
        """One array for every snippet that is due, so that the consumer owns what it gets."""
        if not due:
            return
        assert frame.render is not None
        try:
            image = frame.render()
        except BrokenStreamError as error:
            raise self._failure(error, self.grid.time_s(due.start)) from error
        for _ in due[1:]:
            yield image.copy()
        yield image

    def _finish(self, last: TimedFrame | None, damage: BrokenStreamError | None) -> None:
        """Takes the duration; raises if the delivered part is not all that was asked for."""
        end_s = last.span.end_s if last else 0.0
        if self.grid.end_s is not None and end_s >= self.grid.end_s - ROUNDING_S:
            self.duration_s = self.grid.end_s - self.grid.start_s
            return
        if damage is not None:
            raise self._failure(damage, end_s if last else None) from damage
        self.duration_s = max(0.0, end_s - self.grid.start_s)
        frame_s = last.span.end_s - last.span.start_s if last else 0.0
        if ends_early(self.info, end_s, frame_s, self._others_end_s()):
            reason = f"ends early, it declares {self.info.duration_s:.2f} s; replace it or fetch it again"
            raise TruncatedVideoError(self.uri, reason, end_s)

    def _failure(self, damage: BrokenStreamError, time_s: float | None) -> VideoError:
        """The error for a stream that broke at `time_s`; takes the duration."""
        self.duration_s = max(0.0, (time_s or 0.0) - self.grid.start_s)
        if damage.last:
            return TruncatedVideoError(
                self.uri, f"breaks off ({damage.reason}); replace it or fetch it again", time_s
            )
        return VideoError(self.uri, f"decoding breaks ({damage.reason}); replace or re-encode it", time_s)
