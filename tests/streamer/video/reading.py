"""Reads clips the way the tests need it."""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamer.errors import VideoError
from streamer.video import DecoderName, SnippetGrid, open_snippets
from tests.streamer.video.clips import Clip, number_in


@dataclass(frozen=True)
class Outcome:
    """What reading a video gave: numbers on the snippets, measured duration, final error, frames read."""

    numbers: list[int]
    duration_s: float | None
    error: VideoError | None
    frames_read: int


def read_numbers(
    path: Path | str, grid: SnippetGrid | None = None, decoder: DecoderName = "pyav", threads: int = 1
) -> Outcome:
    """Reads all snippets of a bar code clip, up to the error if there is one."""
    numbers: list[int] = []
    error = None
    with open_snippets(path, grid or SnippetGrid(), decoder=decoder, threads=threads) as reader:
        try:
            numbers.extend(number_in(image) for image in reader)
        except VideoError as raised:
            error = raised
    return Outcome(numbers, reader.duration_s, error, reader.frames_read)


def expected_numbers(clip: Clip, step: Fraction = Fraction(1, 2)) -> list[int]:
    """By definition: the last frame whose time is not after k * step, for all k * step before the end."""
    times = clip.times()
    end = times[-1] + clip.durations()[-1] * clip.time_base
    moments = []
    while len(moments) * step < end:
        moments.append(len(moments) * step)
    return [bisect_right(times, moment) - 1 for moment in moments]
