"""What is measured while a video is watched, snippet by snippet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signal:
    """What one level measured at one snippet.

    Attributes:
        index: the snippet, counted from the start of its video.
        level: the level.
        value: similarity or distance between the level's prediction and its input.
        boundary: whether an event of the level ended here.
    """

    index: int
    level: int
    value: float
    boundary: bool
