"""Which of a lane's past losses are kept, to be learned from again.

Source: algorithm R, in Vitter, "Random Sampling with a Reservoir" (1985).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


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
