"""One stream of snippets through the levels: working sets, predictions, signals, boundaries.

An input that arrives at a level is compared with the level's prediction and either joins the running event
or ends it; an ended event's representation is the next input of the level above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from streamer.config import Distance, StreamerConfig
from streamer.demarcation import make_demarcation
from streamer.hierarchy import Event
from streamer.tally import Tally
from tests.plain import distance
from tests.plain.levels import Levels
from tests.plain.working_set import WorkingSet


@dataclass(frozen=True)
class Signal:
    """What one level measured at one snippet.

    Attributes:
        index: the snippet, counted from the start of its video.
        level: the level.
        value: similarity or distance between the level's prediction and its input.
        boundary: whether an event of the level ended here.
    """

    index: int
    level: int
    value: float
    boundary: bool


@dataclass(frozen=True)
class DueLoss:
    """A loss that learning has yet to take in.

    Attributes:
        level: the level whose prediction it judges.
        loss: scalar, with the graph of the prediction.
        timescale: τ, snippets since the level's previous input.
    """

    level: int
    loss: Tensor
    timescale: int


@dataclass
class Observation:
    """What one snippet brought: signals in the order in which inputs were finished (upper levels first)."""

    signals: list[Signal] = field(default_factory=list)
    due: list[DueLoss] = field(default_factory=list)


class EventRecorder:
    """Cuts one level of one video into events as boundaries come."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._start_s = 0.0
        self._sum = 0.0
        self._count = 0

    def add(self, value: float) -> None:
        """Takes in a signal that belongs to the running event."""
        self._sum += value
        self._count += 1

    def end(self, end_s: float, boundary_signal: float | None, z_D: Tensor | None) -> None:
        """Ends the running event at `end_s` seconds."""
        mean = self._sum / self._count if self._count else None
        z = None if z_D is None else z_D.detach().to("cpu", torch.float32, copy=True).numpy()
        self.events.append(Event(self._start_s, end_s, mean, boundary_signal, z))
        self._start_s, self._sum, self._count = end_s, 0.0, 0


class LevelState:
    """What one level knows of the running video."""

    def __init__(self, config: StreamerConfig, level: int) -> None:
        self.distance: Distance = config.distance_of(level)
        self.working_set = WorkingSet(config.working_set_size, self.distance)
        self.demarcation = make_demarcation(config.demarcation, self.distance)
        self.recorder = EventRecorder()
        self.z_D: Tensor | None = None
        self.prediction: Tensor | None = None
        self.last_input = 0
        self.last: Tensor | None = None

    def forget(self) -> None:
        """Drops all that was computed with parameters that are no more."""
        self.z_D = None
        self.prediction = None
        self.working_set.clear()


class Lane:
    """One stream through shared levels.

    Args:
        levels: the parameters, shared by all lanes of a replica.
        inputs: counts the inputs of each level, over all lanes.
        grow: creates the level above the highest; None where levels never grow (inference).
        evolve_every: inputs, over all lanes, that a level must have counted before the one above is created.
    """

    def __init__(
        self, levels: Levels, inputs: Tally, grow: Callable[[], object] | None, evolve_every: int
    ) -> None:
        self.levels = levels
        self.config = levels.config
        self._inputs = inputs
        self._grow = grow
        self._evolve_every = evolve_every
        self.start_video()

    def start_video(self) -> None:
        """Clears all that belongs to the previous video."""
        self.index = 0
        self.states = [LevelState(self.config, level) for level in range(len(self.levels))]

    def forget(self) -> None:
        """After an optimiser step: predictions start afresh, events go on."""
        for state in self.states:
            state.forget()

    def renew(self) -> None:
        """After an optimiser step: representations, then predictions, anew from the working sets."""
        known = [level for level, state in enumerate(self.states) if state.prediction is not None]
        for level in known:
            state = self.states[level]
            state.z_D = self.levels[level].f(state.working_set.stacked())
        for level in known:
            self._predict_next(level)

    def parameters_changed(self) -> None:
        """After an optimiser step."""
        self.renew() if self.config.learning.keep_predictions else self.forget()

    def observe(self, x: Tensor) -> Observation:
        """Takes the next snippet of the video, `[3, H, H]` in [-1, 1] or `[D]`."""
        observation = Observation()
        self._receive(0, x, observation)
        self.index += 1
        return observation

    def end_video(self, duration_s: float) -> list[list[Event]]:
        """Closes every level at `duration_s` seconds and starts the next video.

        Returns:
            The events of each level, finest first.
        """
        self.follow_growth()
        for state in self.states:
            state.recorder.end(duration_s, None, state.z_D)
        levels = [state.recorder.events for state in self.states]
        self.start_video()
        return levels

    def follow_growth(self) -> None:
        """Makes room for levels that were created since this lane last looked."""
        for level in range(len(self.states), len(self.levels)):
            self.states.append(LevelState(self.config, level))

    def _receive(self, level: int, x: Tensor, observation: Observation) -> None:
        self._grow_if_due(level)
        self.follow_growth()
        state = self.states[level]
        timescale = self.index - state.last_input
        state.last_input = self.index
        state.last = x
        if state.prediction is None:
            state.working_set.clear()
            state.working_set.put(x, 0.0)
            self._predict(level)
            return
        signal = distance.signal(state.distance, state.prediction, x)
        value = signal.item()
        if signal.requires_grad:
            observation.due.append(DueLoss(level, distance.loss(state.distance, signal), timescale))
        boundary = state.demarcation(value)
        full = self.config.force_fixed_buffer and state.working_set.offered >= self.config.working_set_size
        if boundary or full:
            self._end_event(level, value, observation)
        state.recorder.add(value)
        state.working_set.put(x, value)
        self._predict(level)
        observation.signals.append(Signal(self.index, level, value, boundary or full))

    def _grow_if_due(self, level: int) -> None:
        if self._grow is None:
            return
        on_top = level == len(self.levels) - 1
        if on_top and level < self.config.max_levels - 1 and self._inputs.total[level] > self._evolve_every:
            self._grow()
        self._inputs.count(level)

    def _end_event(self, level: int, value: float, observation: Observation) -> None:
        state = self.states[level]
        assert state.z_D is not None, "a level with a prediction has a representation"
        state.recorder.end(self.index * self.config.snippet_size, value, state.z_D)
        if level + 1 < len(self.levels):
            self._receive(level + 1, state.z_D.detach(), observation)
        state.working_set.clear()

    def _predict(self, level: int) -> None:
        state = self.states[level]
        state.z_D = self.levels[level].f(state.working_set.stacked())
        self._predict_next(level)

    def _predict_next(self, level: int) -> None:
        state = self.states[level]
        known = []
        for other in self.states:
            if other.z_D is None:
                break
            known.append(other.z_D)
        assert len(known) > level, "all levels below one with an input have a representation"
        state.prediction = self.levels[level].p(torch.stack(known), state.last)
