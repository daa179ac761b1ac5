"""Snippets by PyAV (FFmpeg in process): every container, codec and address that FFmpeg reads."""

from collections.abc import Iterator
from functools import partial
from itertools import chain

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from streamer.errors import VideoError
from streamer.video.clock import FrameClock
from streamer.video.container import VideoFile
from streamer.video.grid import SnippetGrid
from streamer.video.probe import describe, first_frame
from streamer.video.reader import SnippetReader, TimedFrame

MAX_TOLERANCE_S = 0.0005  # a container's tick may be as long as a frame, which is no rounding any more


class PyavReader(SnippetReader):
    """Reads snippets with PyAV, one frame at a time.

    With `grid.start_s` it decodes from the key frame before it where the container's index allows that, else
    from the start; the snippets are the same, save in files damaged or wrongly stamped before `start_s`.

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
        decoded, origin = self._decoded()
        frame_s = 1 / self.info.fps if self.info.fps else self.grid.snippet_size
        clock = FrameClock(self._file.time_base, round(frame_s / self._file.time_base), origin)
        for frame in decoded:
            yield TimedFrame(clock.stamp(frame.pts, frame.dts, frame.duration), partial(self._render, frame))

    def _decoded(self) -> tuple[Iterator[VideoFrame], int | None]:
        """Frames that cover the grid, and the first frame's stamp in ticks if it is not among them."""
        origin = self._first.pts
        start = int(self.grid.start_s / self._file.time_base)
        if start > 0 and origin is not None:
            frames = self._file.frames_from(origin + start)
            if frames is not None:
                return frames, origin
            self._file.close()
            self._file = VideoFile(self.uri, self._threads)
            return self._file.frames(), None
        return chain([self._first], self._from_start), None

    def _render(self, frame: VideoFrame) -> np.ndarray:
        size = self.grid.frame_size
        # decord's scaler with decord's flags, so that pictures agree.
        scaled = self._reformatter.reformat(frame, size, size, "rgb24", interpolation=Interpolation.BILINEAR)
        quarters = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), quarters))
