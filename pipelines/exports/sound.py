"""The sound of a recording as samples on the clock of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av import AudioResampler
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError

from streamer.video.clock import FrameClock
from streamer.video.container import VideoFile

SAMPLE_FORMAT = "fltp"  # what FFmpeg's AAC encoder takes
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
USUAL_RATE = 48000
AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
USUAL_LAYOUT = "stereo"
JITTER_S = 0.05  # stamps this near to where the sound before them ended are rounded, not gaps


class Sound:
    """Reads the sound that a player would play, from start to end, in a form that AAC can hold.

    Where there is none (before it begins, after it ends, in gaps, where it is damaged), it is silent.

    Args:
        file: the recording, opened for the sound alone.
        origin: what the container's clock shows at the video's first frame, in seconds.

    Attributes:
        rate: samples per second.
        layout: name of the arrangement of channels.
        channels: C, how many these are.
        damaged: packets that could not be decoded.
    """

    def __init__(self, file: VideoFile, origin: Fraction) -> None:
        stream = sound_stream(file)
        assert stream is not None
        assert stream.time_base is not None
        self._file, self._stream, self._origin = file, stream, origin
        self._time_base: Fraction = stream.time_base
        self.rate = stream.rate if stream.rate in AAC_RATES else USUAL_RATE
        self.layout = AAC_LAYOUTS.get(stream.channels, USUAL_LAYOUT)
        self.channels = next((number for number, name in AAC_LAYOUTS.items() if name == self.layout))
        self.damaged = 0
        self._pieces = self._resampled()
        self._piece: tuple[int, np.ndarray] | None = next(self._pieces, None)

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Yields the samples from `start` to `stop`, float32 `[C, n]`, at most a second at a time.

        Args:
            start: number of the first sample, counted from the video's first frame; not before the `stop` of
                the call before.
            stop: number of the first sample not to deliver any more.
        """
        while start < stop:
            while self._piece is not None and self._piece[0] + self._piece[1].shape[1] <= start:
                self._piece = next(self._pieces, None)
            until = min(stop, start + self.rate)
            if self._piece is None or self._piece[0] >= until:
                yield np.zeros((self.channels, until - start), np.float32)
            elif self._piece[0] > start:
                until = self._piece[0]
                yield np.zeros((self.channels, until - start), np.float32)
            else:
                place, samples = self._piece
                until = min(until, place + samples.shape[1])
                yield samples[:, start - place : until - place]
            start = until

    def _resampled(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields samples `[C, n]` with the number of the first, in the order of the stream."""
        clock = FrameClock(self._time_base, 1, origin=0)
        resampler, form = None, None
        following: int | None = None
        for frame in self._decoded():
            ticks = round(Fraction(frame.samples, frame.sample_rate) / self._time_base)
            span = clock.stamp(frame.pts, frame.dts, ticks)
            if form != (frame.format.name, frame.layout.name, frame.sample_rate):
                form = (frame.format.name, frame.layout.name, frame.sample_rate)
                resampler = AudioResampler(SAMPLE_FORMAT, self.layout, self.rate)
            place = round((span.start_s - float(self._origin)) * self.rate)
            if following is not None and abs(place - following) <= JITTER_S * self.rate:
                place = following
            assert resampler is not None
            for converted in resampler.resample(frame):
                yield place, converted.to_ndarray()
                place += converted.samples
            following = place

    def _decoded(self) -> Iterator[AudioFrame]:
        """Decodes what can be decoded."""
        try:
            for packet in self._file.container.demux(self._stream):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    self.damaged += 1
                    continue
                yield from (frame for frame in frames if isinstance(frame, AudioFrame))
        except FFmpegError:  # nothing more can be read; the pictures tell how far the file is good
            self.damaged += 1


def sound_stream(file: VideoFile) -> AudioStream | None:
    """The sound that a player would play; None where there is none, or no decoder for it."""
    stream = file.container.streams.best("audio")
    if not isinstance(stream, AudioStream) or stream.codec_context is None or not stream.rate:
        return None
    return stream
