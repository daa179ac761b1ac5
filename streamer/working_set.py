"""The inputs of the running event that a level remembers."""

from __future__ import annotations

from streamer.config import Distance


class WorkingSet:
    """At most `capacity` inputs in order of arrival; when full, well-predicted inputs leave first.

    Attributes:
        offered: inputs put in, kept or not, since the set was last emptied.
        rows: where the inputs lie, in order of arrival.
        values: the signals that they met.
    """

    def __init__(self, capacity: int, distance: Distance) -> None:
        self.capacity = capacity
        self.distance = distance
        self.offered = 0
        self.rows: list[int] = []
        self.values: list[float] = []

    def __len__(self) -> int:
        return len(self.rows)

    def clear(self) -> None:
        """Forgets all inputs."""
        self.offered = 0
        self.rows = []
        self.values = []

    def put(self, row: int, value: float) -> None:
        """Offers the input at `row`, whose signal was `value`.

        When the set is full, the input takes the place of the best-predicted one if it was itself predicted
        worse, and is dropped otherwise.
        """
        self.offered += 1
        if len(self) == self.capacity:
            best_predicted = max if self.distance == "similarity" else min
            place = self.values.index(best_predicted(self.values))
            stored = self.values[place]
            if not (value < stored if self.distance == "similarity" else value > stored):
                return
            del self.rows[place], self.values[place]
        self.rows.append(row)
        self.values.append(value)
