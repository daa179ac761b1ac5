"""Which of a lane's past losses are kept, to be learned from again: a sample of all, or the most recent.

Source of the sample: algorithm R, in Vitter, "Random Sampling with a Reservoir" (1985).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from streamer.config import LearningConfig


class Reservoir:
    """A sample of all that was ever offered, each of it with equal chance, in a fixed number of slots.

    Its random numbers come from a generator of its own and depend on nothing but the seed and how often it
    was asked.

    Attributes:
        capacity: slots.
        seen: how much was offered.

    Args:
        capacity: slots, above 0.
        seed: of all reservoirs of a model.
        lane: whose reservoir it is, over all workers.
    """

    def __init__(self, capacity: int, seed: int, lane: int) -> None:
        self.capacity = capacity
        self.seen = 0
        self._generator = torch.Generator().manual_seed(seed * 1009 + lane)

    def __len__(self) -> int:
        return min(self.seen, self.capacity)

    def place(self) -> int | None:
        """The slot that the next one takes, whatever was there; None if it is not kept."""
        self.seen += 1
        if self.seen <= self.capacity:
            return self.seen - 1
        slot = int(torch.randint(self.seen, (), generator=self._generator))
        return slot if slot < self.capacity else None

    def inherit(self, kept: int, seen: int) -> None:
        """Begins with some slots taken, those of the lowest numbers, the oldest in the first.

        Args:
            kept: how many.
            seen: how much they are a sample of.
        """
        self.seen = max(seen, kept) if kept == self.capacity else kept

    def from_newest(self, seen: int) -> list[int]:
        """Slots of another one like this that `seen` so much, in an order in which to deal them out."""
        return list(range(min(seen, self.capacity)))

    def draw(self, count: int) -> list[int]:
        """Slots drawn at random, each at most once; all if there are no more than `count`."""
        return torch.randperm(len(self), generator=self._generator)[:count].tolist()

    def remembered(self) -> dict[str, Any]:
        """What `recall` needs to go on to the bit."""
        return {"seen": self.seen, "generator": self._generator.get_state()}

    def recall(self, state: Mapping[str, Any]) -> None:
        """Goes on from what another one `remembered`."""
        self.seen = state["seen"]
        self._generator.set_state(state["generator"])


class Latest(Reservoir):
    """The most recent ones that were offered, each in place of the oldest where there is no room."""

    def place(self) -> int:
        """The slot that the next one takes, whatever was there."""
        self.seen += 1
        return (self.seen - 1) % self.capacity

    def inherit(self, kept: int, seen: int) -> None:
        """Begins with some slots taken, those of the lowest numbers, the oldest in the first."""
        self.seen = kept

    def from_newest(self, seen: int) -> list[int]:
        """Slots of another one like this that `seen` so much, the most recent first."""
        return [(seen - age) % self.capacity for age in range(1, 1 + min(seen, self.capacity))]


def make_reservoir(config: LearningConfig, seed: int, lane: int) -> Reservoir:
    """An empty one of the kind and size that is configured."""
    kind = Latest if config.replay_from == "recent" else Reservoir
    return kind(config.replay, seed, lane)
