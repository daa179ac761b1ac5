"""The moments at which a video is sampled."""

import math
from dataclasses import dataclass

from streamer.errors import ConfigError

ROUNDING_S = 1e-6  # two times closer than this are the same moment, written with different rounding


@dataclass(frozen=True)
class SnippetGrid:
    """Which moments of a video become snippets, and at which size.

    Snippet k shows the frame on screen `start_s + k * snippet_size` seconds after the video's first frame.

    Attributes:
        snippet_size: seconds from one snippet to the next.
        frame_size: width and height of a snippet's frame in pixels.
        start_s: where the delivered part begins, in seconds after the first frame.
        end_s: where it ends (exclusive), in seconds after the first frame; None is the end of the video.
    """

    snippet_size: float = 0.5
    frame_size: int = 128
    start_s: float = 0.0
    end_s: float | None = None

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

    def time_s(self, index: int) -> float:
        """Seconds after the video's first frame at which snippet `index` is taken."""
        return self.start_s + index * self.snippet_size

    def contains(self, index: int) -> bool:
        """Whether snippet `index` lies before `end_s`."""
        return self.end_s is None or self.time_s(index) < self.end_s - ROUNDING_S
