"""What is odd in annotations and can be lived with: counted, and told in one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipelines.wording import counted
from streamer.metrics import LabelledSegment


class Oddities:
    """Counts what is odd, and remembers where each kind was met first."""

    def __init__(self) -> None:
        self._met: dict[tuple[str, str], tuple[str, int]] = {}

    def add(self, noun: str, what: str, place: str) -> None:
        """Counts one.

        Args:
            noun: what it is, such as `row`.
            what: what is odd about it, so that `3 rows` may stand before it.
            place: where it was met.
        """
        first, count = self._met.get((noun, what), (place, 0))
        self._met[noun, what] = (first, count + 1)

    def notes(self) -> list[str]:
        """One line for each kind, in the order in which they were met."""
        return [
            f"{counted(count, noun)} {what} (the first: {first})"
            for (noun, what), (first, count) in self._met.items()
        ]

    def first(self) -> str | None:
        """The first kind with its place; None if nothing was odd."""
        return next(iter(self.notes()), None)


def order_notes(videos: Mapping[str, Mapping[str, Sequence[LabelledSegment]]]) -> list[str]:
    """Tells of levels whose events overlap, or are not in the order of time.

    Args:
        videos: events by video and level.
    """
    events: dict[str, int] = {}
    overlapping: dict[str, int] = {}
    disordered: dict[str, int] = {}
    for levels in videos.values():
        for level, given in levels.items():
            ordered = sorted(given)
            events[level] = events.get(level, 0) + len(given)
            overlapping[level] = overlapping.get(level, 0) + sum(
                after[0] < before[1] for before, after in pairwise(ordered)
            )
            disordered[level] = disordered.get(level, 0) + sum(
                after[0] < before[0] for before, after in pairwise(given)
            )
    return [
        f"{counts[level]} of {events[level]} events of level {level} {what}"
        for counts, what in (
            (overlapping, "begin before the one before them has ended"),
            (disordered, "stand after one that begins later"),
        )
        for level in events
        if counts[level]
    ]
