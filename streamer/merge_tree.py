"""The tree in which the events of a video were merged, and the nested levels into which it can be cut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SLACK = 1.4  # by which the number of events may differ from what is asked for
NOTHING = 1e-12  # a height below this share of the highest is that of mergers of the same


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Nodes of one video: its n finest events in time order, then n - 1 mergers, the highest last.

    Attributes:
        start_s: where each node starts, float64 [2n - 1].
        end_s: where it ends.
        snippets: how many it has, int64 [2n - 1].
        left: for each merger the node that came first, int64 [n - 1].
        right: for each merger the other node.
        height: of each merger, ascending, float64 [n - 1]; no lower than those below it.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    snippets: np.ndarray
    left: np.ndarray
    right: np.ndarray
    height: np.ndarray

    @staticmethod
    def of_mergers(
        events: Sequence[tuple[float, float, int]], mergers: Sequence[tuple[int, int, float]]
    ) -> MergeTree:
        """Puts mergers in the order of their heights.

        Args:
            events: start, end and number of snippets of each, in time order.
            mergers: the two nodes and the height of each, in an order in which they can be done. Nodes are
                numbered: events from 0 up, mergers from -1 down.
        """
        count = len(events)
        assert count == len(mergers) + 1, "mergers do not make one tree"
        height = np.array([merger[2] for merger in mergers], np.float64)
        order = np.argsort(height, kind="stable")
        place = np.empty(count - 1, np.int64)
        place[order] = np.arange(count - 1)
        pairs = np.array([merger[:2] for merger in mergers], np.int64).reshape(-1, 2)
        pairs = np.where(pairs >= 0, pairs, count + place[np.minimum(pairs, -1) * -1 - 1] if count > 1 else 0)
        left, right = pairs[order, 0], pairs[order, 1]
        start_s, end_s, snippets = _extended(events, left, right)
        return MergeTree(start_s, end_s, snippets, left, right, height[order])

    @property
    def events(self) -> int:
        """n, the number of finest events."""
        return len(self.height) + 1

    @property
    def duration_s(self) -> float:
        """Seconds from the start of the video to its end."""
        return float(self.end_s[-1])

    @property
    def boundaries(self) -> np.ndarray:
        """The finest event that begins at the boundary which each merger removes, int64 [n - 1]."""
        first = np.concatenate([np.arange(self.events), np.zeros(self.events - 1, np.int64)])
        for merger, left in enumerate(self.left.tolist(), start=self.events):
            first[merger] = first[left]
        return first[self.right]

    def events_of(self, length_s: float) -> int:
        """How many events of a mean length the video has: at least 1, at most as many as the finest."""
        return max(1, min(self.events, round(self.duration_s / length_s)))

    def natural_counts(self, counts: Iterable[int]) -> list[int]:
        """`natural` numbers of events for several levels, none of them above the one before."""
        found: list[int] = []
        for events in counts:
            found.append(min([self.natural(events), *found[-1:]]))
        return found

    def natural(self, events: int) -> int:
        """A number of events near `events`, and no further from it than by `SLACK`, that the tree suggests.

        The one where the next merger costs most in proportion to the last: of a video whose scenes are of
        about the wanted length it is the number of scenes.
        """
        low, high = max(2, math.ceil(events / SLACK)), min(self.events - 1, math.floor(events * SLACK))
        if not low <= events <= high:  # one event, or all of them
            return events
        counts = np.arange(low, high + 1)
        counts = counts[
            np.argsort(np.abs(np.log(counts / events)), kind="stable")
        ]  # of equal ones the nearest
        heights = np.log(np.maximum(self.height, NOTHING * self.height[-1]) + np.finfo(float).tiny)
        steps = heights[self.events - counts] - heights[self.events - counts - 1]
        return int(counts[steps.argmax()])

    def cut(self, events: int) -> np.ndarray:
        """The finest events with which those of a coarser level begin, int64 [events], ascending.

        Levels are nested: whatever begins an event of one begins an event of every finer one.

        Args:
            events: how many, from 1 to n.
        """
        assert 1 <= events <= self.events, events
        return np.append(0, np.sort(self.boundaries[self.events - events :]))

    def events_above(self, height: float) -> int:
        """How many events are left when all mergers are done that are no higher than `height`."""
        return 1 + int((self.height > height).sum())

    def boundary_heights(self) -> np.ndarray:
        """The height at which the boundary after each finest event but the last is removed, [n - 1]."""
        heights = np.empty(self.events - 1)
        heights[self.boundaries - 1] = self.height
        return heights


def _extended(
    events: Sequence[tuple[float, float, int]], left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts, ends and numbers of snippets of all nodes, from those of the events."""
    start_s = [event[0] for event in events]
    end_s = [event[1] for event in events]
    snippets = [event[2] for event in events]
    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        start_s.append(start_s[one])
        end_s.append(end_s[other])
        snippets.append(snippets[one] + snippets[other])
    return np.array(start_s), np.array(end_s), np.array(snippets, np.int64)
