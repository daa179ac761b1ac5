"""Encodes tiny clips whose frames carry their own number as a bar code that survives scaling."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 12
WIDTH, HEIGHT = 192, 96


def picture(number: int) -> np.ndarray:
    """A frame `[HEIGHT, WIDTH, 3]`: bits of `number` across the upper half, red and blue below."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    bar = WIDTH // BITS
    for bit in range(BITS):
        image[: HEIGHT // 2, bit * bar : (bit + 1) * bar] = 255 * (number >> bit & 1)
    image[HEIGHT // 2 :, : WIDTH // 2, 0] = 220
    image[HEIGHT // 2 :, WIDTH // 2 :, 2] = 220
    return image


def number_in(image: np.ndarray) -> int:
    """The number that a snippet shows, whatever its size; asserts that it stands upright and is legible."""
    height, width = image.shape[:2]
    left, right = (image[height * 3 // 4, width * x // 4].astype(int) for x in (1, 3))
    assert left[0] > left[2] + 60, "the lower left quarter must be red: wrong orientation"
    assert right[2] > right[0] + 60, "the lower right quarter must be blue: wrong orientation"
    columns = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    levels = image[height // 4, columns].mean(axis=-1)
    assert ((levels < 90) | (levels > 165)).all(), f"illegible bar code {levels}"
    return sum(1 << bit for bit, level in enumerate(levels) if level > 128)


@dataclass(frozen=True)
class Clip:
    """What to encode: frame i shows number i from `stamps[i]` ticks of `time_base` on.

    Attributes:
        stamps: presentation times in ticks, increasing.
        time_base: seconds per tick.
        codec: name of the encoder.
        pix_fmt: pixel format.
        gop: frames from key frame to key frame.
        bframes: most B-frames in a row.
        rotation: degrees counterclockwise by which a player shall turn the frame.
        audio_s: length of a silent sound track that starts at 0; none if 0.
        codec_options: options of the encoder.
        container_options: options of the muxer.
    """

    stamps: Sequence[int]
    time_base: Fraction
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    gop: int = 12
    bframes: int = 2
    rotation: int = 0
    audio_s: float = 0.0
    codec_options: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)

    def times(self) -> list[Fraction]:
        """Seconds after the first frame at which each frame appears."""
        return [(stamp - self.stamps[0]) * self.time_base for stamp in self.stamps]

    def durations(self) -> list[int]:
        """Ticks for which each frame is shown; the last one as long as the one before it."""
        steps = [after - before for before, after in itertools.pairwise(self.stamps)]
        return [*steps, steps[-1] if steps else 1]


def constant_rate(frames: int, rate: Fraction | int, start: int = 0, **settings) -> Clip:
    """A clip of `frames` frames at a constant rate, the first at tick `start` (ticks of one frame)."""
    stamps = range(start, start + frames)
    return Clip(stamps, 1 / Fraction(rate), **settings)


def encode(path: Path, clip: Clip) -> Path:
    """Writes the clip; the container follows from the suffix of `path`."""
    with av.open(str(path), "w", options=clip.container_options) as container:
        stream = container.add_stream(clip.codec, rate=round(1 / clip.time_base) or 1)
        coded = np.rot90(picture(0), -clip.rotation // 90)
        stream.height, stream.width, stream.pix_fmt = *coded.shape[:2], clip.pix_fmt
        stream.codec_context.time_base = clip.time_base
        stream.codec_context.gop_size = clip.gop
        stream.codec_context.max_b_frames = clip.bframes
        stream.codec_context.thread_count = 1
        speed = {"preset": "ultrafast", "bf": str(clip.bframes)} if clip.codec == "libx264" else {}
        stream.codec_context.options = speed | clip.codec_options
        if clip.rotation:
            stream.set_display_rotation(clip.rotation)
        sound = container.add_stream("aac", rate=8000, layout="mono") if clip.audio_s else None
        if sound is not None:
            container.mux(list(_silence(sound, clip.audio_s)))
        for number, stamp in enumerate(clip.stamps):
            image = np.ascontiguousarray(np.rot90(picture(number), -clip.rotation // 90))
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=clip.pix_fmt)
            frame.pts, frame.time_base = stamp, clip.time_base
            container.mux(_timed(stream.encode(frame), clip))
        container.mux(_timed(stream.encode(None), clip))
    return path


def _timed(packets: list[av.Packet], clip: Clip) -> list[av.Packet]:
    """Tells the muxer how long each frame is shown; encoders do not know it of the last one."""
    durations = dict(zip(clip.stamps, clip.durations(), strict=True))
    for packet in packets:
        assert packet.pts is not None
        packet.duration = durations[packet.pts]
    return packets


def _silence(stream: av.AudioStream, seconds: float) -> list[av.Packet]:
    """Packets of silence."""
    packets = []
    for start in range(0, int(seconds * 8000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
        packets += stream.encode(frame)
    return packets + stream.encode(None)
