"""The inputs of the running event that a level remembers."""

from __future__ import annotations

import torch
from torch import Tensor

from streamer.config import Distance


class WorkingSet:
    """At most `capacity` inputs in order of arrival; when full, well-predicted inputs leave first.

    Attributes:
        offered: inputs put in, kept or not, since the set was last emptied.
    """

    def __init__(self, capacity: int, distance: Distance) -> None:
        self.capacity = capacity
        self.distance = distance
        self.offered = 0
        self._inputs: list[Tensor] = []
        self._values: list[float] = []

    def __len__(self) -> int:
        return len(self._inputs)

    def clear(self) -> None:
        """Forgets all inputs."""
        self.offered = 0
        self._inputs.clear()
        self._values.clear()

    def put(self, x: Tensor, value: float) -> None:
        """Offers the input `x`, whose signal was `value`.

        When the set is full, `x` takes the place of the best-predicted input if it was itself predicted
        worse, and is dropped otherwise.
        """
        self.offered += 1
        if len(self) == self.capacity:
            best_predicted = max if self.distance == "similarity" else min
            place = self._values.index(best_predicted(self._values))
            stored = self._values[place]
            if not (value < stored if self.distance == "similarity" else value > stored):
                return
            del self._inputs[place], self._values[place]
        self._inputs.append(x)
        self._values.append(value)

    def stacked(self) -> Tensor:
        """The inputs in order of arrival, along a new first dimension."""
        return torch.stack(self._inputs)
