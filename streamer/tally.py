"""Counts per level that all replicas share."""

from __future__ import annotations


class Tally:
    """Counts one kind of thing per level, over all lanes of all replicas.

    Between barriers a replica knows only its own counts, so decisions go by the sums of the last barrier.

    Attributes:
        total: counts as of the last barrier, summed over all lanes.
        since_barrier: this replica's counts since then.
    """

    def __init__(self, max_levels: int) -> None:
        self.total = [0] * max_levels
        self.since_barrier = [0] * max_levels

    def count(self, level: int, number: int = 1) -> None:
        """Counts more of a level."""
        self.since_barrier[level] += number

    def merge(self, sums: list[int]) -> None:
        """Takes in the counts since the last barrier, summed over all lanes."""
        self.total = [total + new for total, new in zip(self.total, sums, strict=True)]
        self.since_barrier = [0] * len(self.total)

    def clear(self) -> None:
        """Starts to count again."""
        self.total = [0] * len(self.total)
        self.since_barrier = [0] * len(self.total)
