"""Snippets by decord, for files in ordinary containers."""

import importlib.util
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from streamer.errors import ConfigError, VideoError
from streamer.video.clock import Span
from streamer.video.container import BrokenStreamError, VideoFile
from streamer.video.grid import SnippetGrid
from streamer.video.groups import all_groups_closed
from streamer.video.probe import probe
from streamer.video.reader import SnippetReader, TimedFrame

# Of transport and program streams and AVI it gives other frames than those that its time stamps promise.
READS_RIGHTLY = ("mov", "matroska", "flv")
LATEST_S = 1e9  # decord turns a missing stamp into a time beyond all reason
TOLERANCE_S = 0.00025  # decord gives times as float32: off by this much after about two hours


def decord_is_installed() -> bool:
    """Whether decord can be imported."""
    return importlib.util.find_spec("decord") is not None


class DecordReader(SnippetReader):
    """Reads snippets with decord.

    decord reads ahead without a bound, so it is made to scale every frame to the snippet's size at once; full
    frames would fill the memory. It indexes the whole file when it opens it, which fails for many damaged
    files that PyAV reads up to the damage, and it conceals damage that PyAV's reader reports.

    Args:
        uri: path; decord reads no addresses.
        grid: which moments to deliver.

    Raises:
        ConfigError: decord is not installed.
        VideoError: it cannot be opened, holds no video, or is of a kind that decord reads wrongly.
    """

    def __init__(self, uri: str, grid: SnippetGrid) -> None:
        if not decord_is_installed():
            raise ConfigError("decoder: decord is not installed; use 'pyav' or run: pip install decord")
        if "://" in uri:
            raise VideoError(uri, "decord reads files only; use the decoder 'pyav' for addresses")
        info = probe(uri)
        if not any(name in READS_RIGHTLY for name in info.container.split(",")):
            raise VideoError(
                uri, f"decord shows wrong frames of {info.container} files; use the decoder 'pyav'"
            )
        if not _jumps_rightly(uri):
            raise VideoError(
                uri, "decord shows wrong frames after some of its key frames; use the decoder 'pyav'"
            )
        super().__init__(uri, info, grid, TOLERANCE_S)
        self._video: Any = _open(uri, grid.frame_size)
        self._stamps = np.asarray(self._video.get_frame_timestamp(range(len(self._video))), np.float64)
        if np.abs(self._stamps).max() > LATEST_S:
            raise VideoError(uri, "has frames without a time stamp for decord; use the decoder 'pyav'")
        if self._stamps.min() < -TOLERANCE_S:
            raise VideoError(uri, "decord shows wrong frames where an edit list cuts; use the decoder 'pyav'")

    def _close(self) -> None:
        self._video = None

    def _others_end_s(self) -> float | None:
        # decord does not read them: assume that they reach the declared end, so as not to accuse it.
        return None if self.info.own else self.info.duration_s

    def _frames(self) -> Iterator[TimedFrame]:
        starts = np.maximum.accumulate(self._stamps[:, 0])
        frame_s = 1 / self.info.fps if self.info.fps else self.grid.snippet_size
        ends = np.where(self._stamps[:, 1] > starts, self._stamps[:, 1], starts + frame_s)
        for index, (start_s, end_s) in enumerate(zip(starts - starts[0], ends - starts[0], strict=True)):
            yield TimedFrame(Span(float(start_s), float(end_s)), partial(self._render, index))

    def _frames_without_skipping(self, index: int) -> None:
        return None

    def _render(self, index: int) -> np.ndarray:
        import decord

        try:
            return self._video[index].asnumpy()
        except decord.DECORDError as error:
            raise BrokenStreamError(_first_line(error), last=False) from error


def _jumps_rightly(uri: str) -> bool:
    """Whether decord, which jumps to key frames, counts and decodes the frames behind them rightly."""
    file = VideoFile(uri)
    try:
        return all_groups_closed(file)
    finally:
        file.close()


def _open(uri: str, size: int) -> Any:
    """Opens a file that was probed before."""
    import decord

    try:
        video = decord.VideoReader(
            os.path.abspath(uri), ctx=decord.cpu(0), width=size, height=size, num_threads=1
        )
    except (decord.DECORDError, RuntimeError) as error:
        raise VideoError(
            uri, f"decord cannot open it ({_first_line(error)}); try the decoder 'pyav'"
        ) from error
    if len(video) == 0:
        raise VideoError(uri, "decord finds no frame in it; try the decoder 'pyav'")
    return video


def _first_line(error: Exception) -> str:
    """The message without places in decord's source and the stack trace below it."""
    return re.sub(r"\[\d\d:\d\d:\d\d\] \S+: ", "", str(error).strip().split("\n", 1)[0])
