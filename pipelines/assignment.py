"""Which videos are watched one after the other, and which at the same time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class HasDuration(Protocol):
    """Anything with an id and a length."""

    @property
    def video_id(self) -> str:
        """Unique id."""
        ...

    @property
    def duration_s(self) -> float | None:
        """Length in seconds; None where the container does not tell."""
        ...


V = TypeVar("V", bound=HasDuration)


def assign(videos: Sequence[V], slots: int, running: Sequence[V] = ()) -> list[list[V]]:
    """Deals videos to slots, longest first, each to the slot with the least so far.

    A slot is one lane of one worker: worker r with n lanes has the slots from r * n on. So the same videos
    share a slot however many workers the slots are spread over. Ties go by video id and by slot, so that
    the same videos always go the same way. A video of unknown duration counts as the mean of the known ones.

    Args:
        videos: that have not begun.
        slots: number of slots.
        running: that are in the middle, with what is left of their duration; they come before the others.

    Returns:
        A list of videos per slot, in the order in which they are watched.
    """
    known = [video.duration_s for video in (*running, *videos) if video.duration_s is not None]
    # fsum: a rounding that depends on the order of `videos` could change the assignment.
    mean = math.fsum(known) / len(known) if known else 1.0

    def length(video: V) -> float:
        return mean if video.duration_s is None else video.duration_s

    loads = [0.0] * slots
    dealt: list[list[V]] = [[] for _ in range(slots)]
    for share in (running, videos):
        _deal(share, length, loads, dealt)
    return dealt


def _deal(
    videos: Sequence[V], length: Callable[[V], float], loads: list[float], dealt: list[list[V]]
) -> None:
    for video in sorted(videos, key=lambda video: (-length(video), video.video_id)):
        slot = min(range(len(loads)), key=lambda slot: (loads[slot], slot))
        dealt[slot].append(video)
        loads[slot] += length(video)
