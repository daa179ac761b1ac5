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
from streamer.demarcation import demarcation_of
from streamer.hierarchy import Event
from streamer.tally import Tally
from tests.plain import distance
from tests.plain.levels import Levels
from tests.plain.mixture import Mixture, recalled
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
class Past:
    """What a loss was computed from.

    Attributes:
        inputs: the working set that the prediction was made from, stacked.
        known: the representations that it was made from.
        last: the level's last input.
        before: the input before it; the same again if there was none.
        target: the input that came.
    """

    inputs: Tensor
    known: list[Tensor]
    last: Tensor
    before: Tensor
    target: Tensor


@dataclass(frozen=True)
class DueLoss:
    """A loss that learning has yet to take in.

    Attributes:
        level: the level whose prediction it judges.
        loss: scalar, with the graph of the prediction.
        timescale: τ, snippets since the level's previous input.
        past: what it was computed from, where it may be learned from again.
    """

    level: int
    loss: Tensor
    timescale: int
    past: Past | None = None


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
        self._values: list[float | None] = []

    def add(self, value: float | None) -> None:
        """Takes in an input of the running event, by its signal where it has one."""
        self._values.append(value)

    def end(self, end_s: float, boundary_signal: float | None, z_D: Tensor | None, delay: int = 0) -> None:
        """Ends the running event at `end_s` seconds; the last `delay` inputs are of the next one."""
        values, self._values = self._values[: len(self._values) - delay], self._values[-delay:] * (delay > 0)
        known = [value for value in values if value is not None]
        mean = sum(known) / len(known) if known else None
        z = None if z_D is None else z_D.detach().to("cpu", torch.float32, copy=True).numpy()
        self.events.append(Event(self._start_s, end_s, mean, boundary_signal, z))
        self._start_s = end_s


@dataclass(frozen=True)
class Previous:
    """A level's last input, should an event turn out to have begun with it.

    Attributes:
        x: the input.
        value: its signal.
        z: the representation of the running event before it.
        at: the snippet at which that event would have ended.
    """

    x: Tensor
    value: float
    z: Tensor
    at: int


class LevelState:
    """What one level knows of the running video."""

    def __init__(self, config: StreamerConfig, level: int) -> None:
        self.distance: Distance = config.distance_of(level)
        self.working_set = WorkingSet(config.working_set_size, self.distance)
        self.demarcation = demarcation_of(config, level)
        self.recorder = EventRecorder()
        self.z_D: Tensor | None = None
        self.prediction: Tensor | None = None
        self.last_input = 0
        self.last: Tensor | None = None
        self.before: Tensor | None = None
        self.known: list[Tensor] = []
        self.previous: Previous | None = None

    def forget(self) -> None:
        """Drops all that was computed with parameters that are no more."""
        self.z_D = None
        self.prediction = None
        self.previous = None
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
        self._inputs_so_far: list[Tensor] = []
        self._observed: list[Tensor] = []
        self._mixture = Mixture()
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
        x = self._centred(x) if self.config.center else x
        self._receive(0, x, self.index, observation)
        self._observed.append(x)
        self.index += 1
        return observation

    def _centred(self, x: Tensor) -> Tensor:
        """Removes the mean of the video up to `x`, shrunk by 10 snippets of zeros, and scales to size 1."""
        self._inputs_so_far.append(x)
        inputs_TD = torch.stack(self._inputs_so_far)
        mean_D = inputs_TD.sum(0) / (len(inputs_TD) + 10)
        size = (inputs_TD - mean_D).square().sum(1).mean().clamp_min(1e-100)
        return (x - mean_D) * (len(x) / size).sqrt()

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

    def _receive(self, level: int, x: Tensor, at: int, observation: Observation) -> None:
        self._grow_if_due(level)
        self.follow_growth()
        state = self.states[level]
        timescale = self.index - state.last_input
        state.last_input = self.index
        before, last, state.before, state.last = state.before, state.last, state.last, x
        if state.before is None:
            state.before = x
        if state.prediction is None:
            state.working_set.clear()
            state.working_set.put(x, 0.0)
            state.demarcation.missed()
            state.recorder.add(None)
            self._predict(level)
            return
        signal = distance.signal(state.distance, state.prediction, x)
        value = self._mixed_signal(x).item() if level == 0 and self.config.mixing else signal.item()
        if signal.requires_grad:
            assert last is not None
            assert before is not None
            loss = distance.loss(state.distance, signal)
            known = [z_D.detach() for z_D in state.known]
            past = Past(state.working_set.stacked(), known, last, before, x)
            observation.due.append(DueLoss(level, loss, timescale, past))
        boundary = state.demarcation(value, self.index)
        full = self.config.force_fixed_buffer and state.working_set.offered >= self.config.working_set_size
        if boundary and state.demarcation.delay:
            began = state.previous
            assert began is not None
            self._end_event(level, began.at, began.value, began.z, observation, delay=1)
            state.working_set.put(began.x, began.value)
        elif boundary or full:
            if not boundary:
                state.demarcation.ended()
            assert state.z_D is not None, "a level with a prediction has a representation"
            self._end_event(level, at, value, state.z_D, observation)
        state.recorder.add(value)
        state.working_set.put(x, value)
        assert state.z_D is not None
        state.previous = Previous(x, value, state.z_D, at)
        self._predict(level)
        observation.signals.append(Signal(self.index, level, value, boundary or full))

    def _mixed_signal(self, x: Tensor) -> Tensor:
        """What level 0's predictions measure together."""
        state = self.states[0]
        assert state.prediction is not None
        predictions = [self._observed[-1], state.prediction.detach()]
        if self.config.recall > 0:
            predictions.append(recalled(self._observed, self.config.recall))
        mixed = self._mixture.predict(predictions)
        self._mixture.judge(predictions, x)
        return distance.signal(state.distance, mixed, x)

    def _grow_if_due(self, level: int) -> None:
        if self._grow is None:
            return
        on_top = level == len(self.levels) - 1
        if (
            on_top
            and level < self.config.learned_levels - 1
            and self._inputs.total[level] > self._evolve_every
        ):
            self._grow()
        self._inputs.count(level)

    def _end_event(
        self, level: int, at: int, value: float, z_D: Tensor, observation: Observation, delay: int = 0
    ) -> None:
        state = self.states[level]
        state.recorder.end(at * self.config.snippet_size, value, z_D, delay)
        if level + 1 < len(self.levels):
            self._receive(level + 1, z_D.detach(), at, observation)
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
        state.known = known
        state.prediction = self.levels[level].p(torch.stack(known), state.last, state.before)
