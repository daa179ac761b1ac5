"""Which videos are watched one after the other, and which at the same time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
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


T = TypeVar("T")
V = TypeVar("V", bound=HasDuration)


def assign(videos: Sequence[V], slots: int, running: Sequence[V] = ()) -> list[list[V]]:
    """Deals videos to slots, longest first, each to the slot with the least so far.

    A slot is one lane of one worker (`slots_of`). The same videos share a slot however many workers the slots
    are spread over. Ties go by video id and by slot, so that the same videos always go the same way. A video
    of unknown duration counts as the mean of the known ones.

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

    loads = [(0.0, slot) for slot in range(slots)]  # a heap: the least loaded slot comes first
    dealt: list[list[V]] = [[] for _ in range(slots)]
    for share in (running, videos):
        for video in sorted(share, key=lambda video: (-length(video), video.video_id)):
            load, slot = loads[0]
            dealt[slot].append(video)
            heapq.heapreplace(loads, (load + length(video), slot))
    return dealt


def slots_of(slots: Sequence[T], rank: int, workers: int) -> list[T]:
    """The slots that are the lanes of a worker: every so-manieth.

    So the longest videos, and the few where there are fewer than slots, spread over all workers.
    """
    return list(slots[rank::workers])
