"""Neighbouring events merged bottom-up into one tree, while they come.

A node is one event, or several neighbouring ones: its start and end, how many snippets it has, and their
mean vector. Of all pairs of neighbours, the one whose merger costs least (`streamer.merge_cost`) is merged
next.

With all events at hand this is the greedy algorithm, and so it is here as long as a video has no more events
than may be open at once. Beyond that, whenever so many are open, one pair is merged without knowing what
comes: the cheapest, or, where that is the last one, whose other neighbour has yet to come, the cheapest of
those that cost no more than the pairs beside them. Only where there is none is the last pair taken (`guesses`
counts how often). Without guesses, the tree is the greedy one wherever no merger makes a neighbour cheaper to
merge with than both parts were, as with Ward's cost of vectors that move in one direction. Costs do not
always have that property among neighbours in time: after a, b, a', where b is short, b may join a' and only
then be like a. There the tree may differ from the greedy one in what had to be merged early.

Only open nodes have a vector. The height of a node is what its merger cost, or the height of a node below it
where that is larger, so that heights never fall towards the top.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.merge_cost import Cost, cosine_ward
from streamer.merge_tree import MergeTree

OPEN_NODES = 1024
"""Most nodes open at once: events of half an hour, where they last two seconds."""


class Merging:
    """Events of one video, merged as they come.

    Args:
        cost: of a merger; never negative.
        open_nodes: most nodes that are open at once, at least 3.

    Attributes:
        events: how many have come.
        guesses: pairs that were merged although one that comes might have been cheaper to merge with.
    """

    def __init__(self, cost: Cost = cosine_ward, open_nodes: int = OPEN_NODES) -> None:
        assert open_nodes >= 3, open_nodes
        self.events = 0
        self.guesses = 0
        self._cost = cost
        self._room = open_nodes
        # Open nodes by place; places are in no order.
        self._free = list(range(open_nodes - 1, -1, -1))
        self._means: np.ndarray | None = None
        self._snippets = np.zeros(open_nodes)
        # Of merging with the next. The last entry is that of no place, -1: no neighbour costs less.
        self._costs = np.full(open_nodes + 1, math.inf)
        self._heights = np.zeros(open_nodes)
        self._nodes = [0] * open_nodes  # events from 0 up; mergers from -1 down
        self._before = np.full(open_nodes + 1, -1)
        self._after = np.full(open_nodes + 1, -1)
        self._last = -1
        self._mergers: list[tuple[int, int, float]] = []
        self._leaves: list[tuple[float, float, int]] = []

    def __len__(self) -> int:
        """Open nodes."""
        return self._room - len(self._free)

    def add(self, start_s: float, end_s: float, snippets: int, mean_D: np.ndarray) -> None:
        """The next event.

        Args:
            start_s: in seconds.
            end_s: in seconds.
            snippets: how many it has, at least 1.
            mean_D: mean vector of its snippets.
        """
        assert snippets >= 1, snippets
        if not self._free:
            self._make_room()
        place = self._free.pop()
        if self._means is None:
            self._means = np.zeros((self._room, len(mean_D)))
        self._means[place] = mean_D
        self._snippets[place] = snippets
        self._heights[place] = 0.0
        self._nodes[place] = self.events
        self._leaves.append((start_s, end_s, snippets))
        self.events += 1
        self._before[place], self._after[place] = self._last, -1
        if self._last >= 0:
            self._after[self._last] = place
            self._price(self._last)
        self._last = place

    def finish(self) -> MergeTree:
        """Merges what is open; no event may follow."""
        while len(self) > 1:
            self._merge(self._cheapest(self._costs))
        return MergeTree.of_mergers(self._leaves, self._mergers)

    def _make_room(self) -> None:
        """Merges a pair, and rather one of which all neighbours are known."""
        last_pair = self._before[self._last]
        one = self._cheapest(self._costs)
        if one == last_pair:
            settled = (self._costs <= self._costs[self._before]) & (self._costs <= self._costs[self._after])
            settled[last_pair] = False
            costs = np.where(settled, self._costs, math.inf)
            if math.isinf(costs.min()):
                self.guesses += 1
            else:
                one = self._cheapest(costs)
        self._merge(one)

    def _cheapest(self, costs: np.ndarray) -> int:
        """The pair that costs least; of equal ones the first in time."""
        place = int(costs.argmin())
        alike = np.flatnonzero(costs == costs[place])
        if len(alike) == 1:
            return place
        chosen = set(alike.tolist())
        place = first = self._last
        while place >= 0:
            first = place if place in chosen else first
            place = int(self._before[place])
        return first

    def _merge(self, one: int) -> None:
        """Merges the node at a place with the next one, whose place becomes free."""
        other = int(self._after[one])
        assert self._means is not None
        height = max(self._costs[one], self._heights[one], self._heights[other])
        self._mergers.append((self._nodes[one], self._nodes[other], float(height)))
        snippets = self._snippets[one] + self._snippets[other]
        self._means[one] += (self._means[other] - self._means[one]) * (self._snippets[other] / snippets)
        self._snippets[one], self._heights[one] = snippets, height
        self._nodes[one] = -len(self._mergers)
        self._after[one] = self._after[other]
        self._costs[one] = self._costs[other] = math.inf
        if self._last == other:
            self._last = one
        else:
            self._before[self._after[one]] = one
            self._price(one)
        if self._before[one] >= 0:
            self._price(int(self._before[one]))
        self._free.append(other)

    def _price(self, one: int) -> None:
        """Works out what merging the node at a place with the next one costs."""
        assert self._means is not None
        other = self._after[one]
        self._costs[one] = self._cost(
            float(self._snippets[one]), float(self._snippets[other]), self._means[one], self._means[other]
        )
