"""Rendered frames as H.264 video, the same bytes from the same frames."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray


def encode(
    path: Path, frames: Iterable[NDArray[np.uint8]], size: tuple[int, int], fps: int, crf: int = 23
) -> None:
    """Writes frames as H.264 in an MP4; equal frames make equal files with the same encoder.

    Args:
        path: the file to make.
        frames: RGB, uint8 `[height, width, 3]` each.
        size: width and height, pixels.
        fps: frames per second.
        crf: x264's constant rate factor; larger is smaller and worse.
    """
    # Without the last option x264's rate control rounds differently from run to run, and so do the files.
    options = {
        "preset": "veryfast",
        "crf": str(crf),
        "g": "250",
        "bf": "3",
        "x264-params": "cpu-independent=1",
    }
    # The container's own clock ticks in milliseconds unless told otherwise, which cannot count frames.
    clock = {"movie_timescale": str(1000 * fps)}
    with av.open(str(path), "w", format="mp4", options=clock) as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        # Rendering already runs in as many processes as are wanted.
        stream.codec_context.thread_count = 1
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
