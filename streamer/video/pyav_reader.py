"""Snippets by PyAV (FFmpeg in process): every container, codec and address that FFmpeg reads."""

from collections.abc import Iterator
from functools import partial
from itertools import chain

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from streamer.errors import VideoError
from streamer.video.clock import FrameClock
from streamer.video.container import Frame, VideoFile
from streamer.video.grid import ROUNDING_S, SnippetGrid
from streamer.video.probe import describe, first_frame
from streamer.video.reader import SnippetReader, TimedFrame

MAX_TOLERANCE_S = 0.0005  # a container's tick may be as long as a frame, which is no rounding any more


def leads_to_the_middle(uri: str) -> bool:
    """Whether the file's index leads to a key frame near its middle from which it can be decoded.

    Raises:
        VideoError: it cannot be opened or its first frame cannot be decoded.
    """
    file = VideoFile(uri)
    try:
        first = first_frame(file, file.frames())
        duration_s = describe(file, first).duration_s
        if duration_s is None or first.pts is None:
            return False
        frames = file.frames_from(first.pts + int(duration_s / 2 / file.time_base))
        middle = next(frames, None) if frames is not None else None
        return middle is not None and middle.pts is not None and middle.pts > first.pts
    finally:
        file.close()


class PyavReader(SnippetReader):
    """Reads snippets with PyAV, one frame at a time.

    A grid that begins later is decoded from the key frame before where the container's index allows that,
    else from the start; the snippets are the same, save in files damaged or wrongly stamped before that.

    Args:
        uri: path or address.
        grid: which moments to deliver.
        threads: threads that decode.

    Raises:
        VideoError: it cannot be opened, holds no video, has no decoder, or its first frame cannot be decoded.
    """

    def __init__(self, uri: str, grid: SnippetGrid, threads: int) -> None:
        self._file = VideoFile(uri, threads)
        self._threads = threads
        self._reformatter = VideoReformatter()
        try:
            self._from_start = self._file.frames()
            self._first = first_frame(self._file, self._from_start)
            info = describe(self._file, self._first)
        except VideoError:
            self._file.close()
            raise
        # Two stamps, each rounded to a tick, are half a tick off on average.
        tolerance_s = min(float(self._file.time_base) / 2, MAX_TOLERANCE_S)
        super().__init__(uri, info, grid, tolerance_s)

    def _close(self) -> None:
        self._file.close()

    def _others_end_s(self) -> float | None:
        if self._file.others_end_s is None:
            return None
        return self._file.others_end_s - float((self._first.pts or 0) * self._file.time_base)

    def _frames(self) -> Iterator[TimedFrame]:
        self._skip()
        decoded, origin = self._decoded(self.grid.first, chain([self._first], self._from_start))
        return self._timed(decoded, origin)

    def _frames_without_skipping(self, index: int) -> Iterator[TimedFrame] | None:
        if not self._file.skips:
            return None
        decoded, origin = self._decoded(index, self._opened_anew(skips=False))
        return self._timed(decoded, origin)

    def _timed(self, decoded: Iterator[Frame], origin: int | None) -> Iterator[TimedFrame]:
        """Gives frames their times; `origin` is the first frame's stamp in ticks if it is not among them."""
        frame_s = 1 / self.info.fps if self.info.fps else self.grid.snippet_size
        clock = FrameClock(self._file.time_base, round(frame_s / self._file.time_base), origin)
        for frame in decoded:
            render = partial(self._render, frame) if isinstance(frame, VideoFrame) else None
            yield TimedFrame(clock.stamp(frame.pts, frame.dts, frame.duration), render)

    def _decoded(self, index: int, from_start: Iterator[Frame]) -> tuple[Iterator[Frame], int | None]:
        """Frames that cover the snippets from `index` on, and the origin of their stamps if they begin later.

        Args:
            index: the snippet that is to be delivered next.
            from_start: the frames from the first one on.
        """
        origin = self._first.pts
        start = int(self.grid.seek_s(index) / self._file.time_base)
        if start <= 0 or origin is None:
            return from_start, None
        frames = self._file.frames_from(origin + start)
        if frames is not None:
            return frames, origin
        return self._opened_anew(self._file.skips), None

    def _opened_anew(self, skips: bool) -> Iterator[Frame]:
        """Opens the file again to read it from the start."""
        self._file.close()
        self._file = VideoFile(self.uri, self._threads)
        frames = self._file.frames()
        if not skips:
            return frames
        self._first = first_frame(self._file, frames)
        self._skip()
        return chain([self._first], frames)

    def _skip(self) -> None:
        """Leaves out what no snippet shows, from the frame after the first one on."""
        if self._first.pts is not None:
            self._file.skip(partial(self._shows, self._first.pts), self._first.pts)

    def _shows(self, origin: int, start: int, end: int) -> bool:
        """Whether a snippet may show what is on screen from stamp `start` to `end`, in ticks."""
        start_s, end_s = (float((stamp - origin) * self._file.time_base) for stamp in (start, end))
        return self.grid.takes(
            start_s - self._tolerance_s - ROUNDING_S, end_s - self._tolerance_s + ROUNDING_S
        )

    def _render(self, frame: VideoFrame) -> np.ndarray:
        size = self.grid.frame_size
        # decord's scaler with decord's flags, so that pictures agree.
        scaled = self._reformatter.reformat(frame, size, size, "rgb24", interpolation=Interpolation.BILINEAR)
        quarters = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), quarters))
