"""One clip on its way into an MP4 file: H.264 pictures and AAC sound."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from pipelines.exports.sound import SAMPLE_FORMAT, Sound

# Nothing to see of the compression, at about the speed of decoding. MP4 tells when a picture ends by when the
# next one is decoded: with B-frames, which change the order, the last picture would end at a wrong time.
ENCODER = {"preset": "veryfast", "crf": "18", "bf": "0"}
PIXEL_FORMAT = "yuv420p"  # which every player shows
FINEST_TICKS = 90_000  # per second at least: that of every usual rate falls on them


class ClipFile:
    """Writes a clip; a context manager that completes the file.

    Rotation, shape of the pixels and colours are told as the video tells them; the picture is as it was
    coded, save that an odd width or height is scaled to the even one above, which H.264 needs.

    Args:
        path: the file to make.
        title: what the clip is called.
        source: the stream that its pictures come from.
        first: the first of these pictures.
        sound: of the recording; None without.
    """

    def __init__(
        self, path: Path, title: str, source: VideoStream, first: VideoFrame, sound: Sound | None
    ) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._container.metadata["title"] = title
        self._size = (first.width + first.width % 2, first.height + first.height % 2)
        self._time_base = fine_time_base(source)
        self._pictures = self._add_pictures(source, first)
        self._durations: dict[int, int] = {}
        self._sound = sound
        self._samples = 0
        if sound is not None:
            self._audio = self._container.add_stream("aac", rate=sound.rate, layout=sound.layout)

    def __enter__(self) -> ClipFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._mux(None)
                if self._sound is not None:
                    self._container.mux(self._audio.encode(None))
        finally:
            self._container.close()

    def show(self, frame: VideoFrame, start_s: float, end_s: float) -> None:
        """Adds a picture that is on screen from `start_s` to `end_s`, in seconds of the clip."""
        full_range = frame.color_range
        picture = frame.reformat(
            *self._size, PIXEL_FORMAT, src_color_range=full_range, dst_color_range=full_range
        )
        start, end = (round(seconds / self._time_base) for seconds in (start_s, end_s))
        picture.pts, picture.time_base = start, self._time_base
        picture.pict_type = PictureType.NONE  # what it was in the video would bind the encoder
        self._durations[start] = max(1, end - start)
        self._mux(picture)

    def hear(self, samples: np.ndarray) -> None:
        """Adds samples, float32 `[C, n]`, that follow those before."""
        assert self._sound is not None
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), SAMPLE_FORMAT, self._sound.layout)
        frame.sample_rate, frame.time_base = self._sound.rate, Fraction(1, self._sound.rate)
        frame.pts = self._samples
        self._samples += samples.shape[1]
        self._container.mux(self._audio.encode(frame))

    def _add_pictures(self, source: VideoStream, first: VideoFrame) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=source.average_rate or source.guessed_rate or 25)
        stream.width, stream.height = self._size
        stream.pix_fmt = PIXEL_FORMAT
        codec = stream.codec_context
        codec.time_base = self._time_base
        codec.options = dict(ENCODER)
        if source.sample_aspect_ratio:
            codec.sample_aspect_ratio = source.sample_aspect_ratio
        codec.color_range, codec.colorspace = first.color_range, first.colorspace
        codec.color_primaries, codec.color_trc = first.color_primaries, first.color_trc
        matrix = first.side_data.get("DISPLAYMATRIX")
        if matrix is not None:
            stream.set_display_matrix(np.frombuffer(bytes(matrix), np.int32).tolist())
        return stream

    def _mux(self, picture: VideoFrame | None) -> None:
        for packet in self._pictures.encode(picture):
            assert packet.pts is not None
            # The muxer does not know how long the last picture is shown.
            packet.duration = self._durations.pop(packet.pts)
            self._container.mux(packet)


def fine_time_base(source: VideoStream) -> Fraction:
    """Seconds per tick in which the times of a clip are told: those of the video, divided until fine enough.

    A clip may begin between two ticks of its video.
    """
    assert source.time_base is not None
    return source.time_base / math.ceil(source.time_base * FINEST_TICKS)
