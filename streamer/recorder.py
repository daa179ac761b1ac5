"""Events of one level of one video, as they end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from streamer.hierarchy import Event


@dataclass(frozen=True)
class EndedEvent:
    """An event whose representation still lies on the model's device."""

    start_s: float
    end_s: float
    mean_signal: float | None
    boundary_signal: float | None
    representation: Tensor | None


class EventRecorder:
    """Cuts one level of one video into events as boundaries come."""

    def __init__(self) -> None:
        self.ended: list[EndedEvent] = []
        self.start_s = 0.0
        self.signal_sum = 0.0
        self.signal_count = 0

    def add(self, value: float) -> None:
        """Takes in a signal that belongs to the running event."""
        self.signal_sum += value
        self.signal_count += 1

    def end(self, end_s: float, boundary_signal: float | None, z_D: Tensor | None) -> None:
        """Ends the running event at `end_s` seconds."""
        mean = self.signal_sum / self.signal_count if self.signal_count else None
        self.ended.append(EndedEvent(self.start_s, end_s, mean, boundary_signal, z_D))
        self.start_s, self.signal_sum, self.signal_count = end_s, 0.0, 0

    def events(self) -> list[Event]:
        """All events that have ended, with their representations on the host."""
        known = [event.representation for event in self.ended if event.representation is not None]
        rows = iter(torch.stack(known).to("cpu", torch.float32).numpy() if known else ())
        return [
            Event(
                event.start_s,
                event.end_s,
                event.mean_signal,
                event.boundary_signal,
                None if event.representation is None else next(rows).copy(),
            )
            for event in self.ended
        ]
