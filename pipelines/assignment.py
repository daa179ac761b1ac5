"""Which worker gets which video."""

from __future__ import annotations

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


V = TypeVar("V", bound=HasDuration)


def assign(videos: Sequence[V], workers: int) -> list[list[V]]:
    """Deals videos to workers, longest first, each to the worker with the least so far.

    Ties go by video id and by rank, so that the same videos always go the same way. A video of unknown
    duration counts as the mean of the known ones.

    Returns:
        A list of videos per worker, in the order in which the worker takes them.
    """
    known = [video.duration_s for video in videos if video.duration_s is not None]
    # fsum: a rounding that depends on the order of `videos` could change the assignment.
    mean = math.fsum(known) / len(known) if known else 1.0

    def length(video: V) -> float:
        return mean if video.duration_s is None else video.duration_s

    loads = [0.0] * workers
    shards: list[list[V]] = [[] for _ in range(workers)]
    for video in sorted(videos, key=lambda video: (-length(video), video.video_id)):
        rank = min(range(workers), key=lambda rank: (loads[rank], rank))
        shards[rank].append(video)
        loads[rank] += length(video)
    return shards
