"""The moments at which a video is sampled."""

import math
from dataclasses import dataclass

from streamer.errors import ConfigError

ROUNDING_S = 1e-6  # two times closer than this are the same moment, written with different rounding


@dataclass(frozen=True)
class SnippetGrid:
    """Which moments of a video become snippets, and at which size.

    Snippet k shows the frame on screen `start_s + k * snippet_size` seconds after the video's first frame.
    `first` and `stop` choose a part of these snippets without changing any of them.

    Attributes:
        snippet_size: seconds from one snippet to the next.
        frame_size: width and height of a snippet's frame in pixels.
        start_s: where the delivered part begins, in seconds after the first frame.
        end_s: where it ends (exclusive), in seconds after the first frame; None is the end of the video.
        first: number of the first snippet to deliver.
        stop: number of the first snippet not to deliver any more; None delivers all to the end.
    """

    snippet_size: float = 0.5
    frame_size: int = 128
    start_s: float = 0.0
    end_s: float | None = None
    first: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        size, start_s, end_s = self.frame_size, self.start_s, self.end_s
        if not (math.isfinite(self.snippet_size) and self.snippet_size > ROUNDING_S):
            raise ConfigError(f"snippet_size: {self.snippet_size} s is not a positive time; 0.5 is usual")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"frame_size: {size!r} is not a number of pixels; 128 is usual")
        if not (math.isfinite(start_s) and start_s >= 0):
            raise ConfigError(f"start_s: {start_s} s is not a time after the first frame; use 0 or more")
        if end_s is not None and not (math.isfinite(end_s) and end_s > start_s):
            raise ConfigError(f"end_s: {end_s} s is not after start_s {start_s} s; make it later or omit it")
        if self.first < 0:
            raise ConfigError(f"first: {self.first} is not a snippet's number; use 0 or more")
        if self.stop is not None and self.stop <= self.first:
            raise ConfigError(f"stop: {self.stop} is not after first {self.first}; raise it or omit it")

    def seek_s(self, index: int) -> float:
        """From where on to look at frames for the snippets from `index` on, in seconds after the first frame.

        That is the moment of the snippet before: damage between the two ends the snippets there, and it has
        to be met also by a reader that begins behind it.
        """
        return self.time_s(max(0, index - 1))

    @property
    def stop_duration_s(self) -> float:
        """Seconds that the snippets from 0 to `stop` cover."""
        assert self.stop is not None
        covered_s = self.stop * self.snippet_size
        return covered_s if self.end_s is None else min(covered_s, self.end_s - self.start_s)

    def time_s(self, index: int) -> float:
        """Seconds after the video's first frame at which snippet `index` is taken."""
        return self.start_s + index * self.snippet_size

    def takes(self, start_s: float, end_s: float) -> bool:
        """Whether a moment of the grid lies in [start_s, end_s), be it before `first` or after `stop`."""
        return self.time_s(max(0, math.ceil((start_s - self.start_s) / self.snippet_size))) < end_s

    def contains(self, index: int) -> bool:
        """Whether snippet `index` lies before `stop` and before `end_s`."""
        if self.stop is not None and index >= self.stop:
            return False
        return self.end_s is None or self.time_s(index) < self.end_s - ROUNDING_S
