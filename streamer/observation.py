"""What a snippet brings: inputs on their way through the levels, signals, and losses to learn from."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from streamer.lane import Candidate, Lane, Prediction
from streamer.signals import Signal


@dataclass(frozen=True)
class DueLoss:
    """A loss that learning has yet to take in.

    Attributes:
        level: the level whose prediction it judges.
        prediction: the prediction.
        target: row of the input that came.
        timescale: τ, snippets since the level's previous input.
    """

    level: int
    prediction: Prediction
    target: int
    timescale: int


@dataclass
class Observation:
    """What one snippet brought: signals in the order in which inputs were finished (upper levels first)."""

    signals: list[Signal] = field(default_factory=list)
    due: list[DueLoss] = field(default_factory=list)


@dataclass
class Arrival:
    """An input on its way into a level of one lane.

    Attributes:
        lane: the lane.
        row: where the input lies.
        before: where the level's input before it lies, or its own row again; None where nothing needs it.
        at: the snippet at which the event that the input ends or represents has ended.
        observation: takes what comes of it.
        timescale: τ, snippets since the level's previous input.
        value: its signal; None where there was no prediction.
        boundary: whether it ended an event.
        began: the input with which the new event began, where that was not this one.
        vector: what is averaged over the event, where inputs are.
    """

    lane: Lane
    row: int
    at: int
    observation: Observation
    timescale: int = 0
    value: float | None = None
    boundary: bool = False
    before: int | None = None
    began: Candidate | None = None
    vector: Tensor | None = None
