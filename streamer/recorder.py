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
    """Cuts one level of one video into events as boundaries come.

    The last input is kept apart, since it may turn out to have begun the next event.

    Attributes:
        ended: events that have ended.
        start_s: where the running event began.
        signal_sum: of its signals, without the last input's.
        signal_count: how many these are.
        input_sum: of its inputs without the last, where they are given.
        input_count: how many these are.
        last: signal of the last input, and the input; None at the start of the video.
    """

    def __init__(self) -> None:
        self.ended: list[EndedEvent] = []
        self.start_s = 0.0
        self.last: tuple[float | None, Tensor | None] | None = None
        self._begin()

    def add(self, value: float | None, input_D: Tensor | None = None) -> None:
        """Takes in an input of the running event.

        Args:
            value: its signal, where there was a prediction.
            input_D: the input, where events are represented by the mean of theirs.
        """
        self._take_last()
        self.last = (value, input_D)

    def end(
        self, end_s: float, boundary_signal: float | None, z_D: Tensor | None, *, before_last: bool = False
    ) -> None:
        """Ends the running event.

        Args:
            end_s: where, in seconds.
            boundary_signal: value of the signal that ended it.
            z_D: its representation, where it is not the mean of its inputs.
            before_last: the last input is the first of the next event.
        """
        if not before_last:
            self._take_last()
        mean = self.signal_sum / self.signal_count if self.signal_count else None
        if self.input_sum is not None:
            z_D = self.input_sum / self.input_count
        self.ended.append(EndedEvent(self.start_s, end_s, mean, boundary_signal, z_D))
        self.start_s = end_s
        self._begin()

    def _begin(self) -> None:
        self.signal_sum, self.signal_count = 0.0, 0
        self.input_sum: Tensor | None = None
        self.input_count = 0

    def _take_last(self) -> None:
        """The last input is of the running event."""
        if self.last is None:
            return
        value, input_D = self.last
        self.last = None
        if value is not None:
            self.signal_sum += value
            self.signal_count += 1
        if input_D is not None:
            self.input_sum = input_D if self.input_sum is None else self.input_sum + input_D
            self.input_count += 1

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
