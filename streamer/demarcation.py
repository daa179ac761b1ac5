"""Rules that end an event, each fed one signal at a time and cleared at the start of a video."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from streamer.adaptive_demarcation import LocalPeak, RunningDeviation, RunningQuantile
from streamer.calibration import Calibration
from streamer.config import Distance, StreamerConfig
from streamer.demarcation_config import DemarcationConfig
from streamer.relative_demarcation import RelativeDemarcation


class Demarcation(Protocol):
    """Says of every signal of a level whether an event ends at it.

    Attributes:
        delay: inputs from the one with which the new event begins to the one at which that is known.
        pending: whether the last input may turn out to have begun an event.
        limit: beyond which the last signal would have been bad; NaN where it was compared with nothing.
    """

    delay: int = 0
    pending: bool = False
    limit: float = math.nan

    def __call__(self, signal: float, index: int | None = None) -> bool:
        """True where an event ended `delay` inputs before this one.

        Every signal of the level must be offered, in order.

        Args:
            signal: the signal.
            index: the snippet at which it was measured; by default the one after the last signal's.
        """
        ...

    def missed(self) -> None:
        """An input of the level came without a signal, as the first one of a video does."""

    def ended(self) -> None:
        """Something else than this rule has ended an event before the last input."""

    def remembered(self) -> list[float]:
        """What it remembers of the video's signals."""
        ...

    def recall(self, values: list[float]) -> None:
        """Goes on from what another one `remembered`."""
        ...


class FixedThreshold(Demarcation):
    """Ends an event where the similarity is below, or the distance above, a threshold."""

    def __init__(self, threshold: float, distance: Distance) -> None:
        self.limit = threshold
        self.distance = distance

    def __call__(self, signal: float, index: int | None = None) -> bool:
        """Compares `signal` with the threshold."""
        return signal < self.limit if self.distance == "similarity" else signal > self.limit

    def remembered(self) -> list[float]:
        """Nothing."""
        return []

    def recall(self, values: list[float]) -> None:
        """Goes on; there is nothing to recall."""
        assert not values


class AccumulatedError(Demarcation):
    """Ends an event when the errors summed since the last one exceed a threshold."""

    def __init__(self, threshold: float) -> None:
        self.limit = threshold
        self.sum = 0.0

    def remembered(self) -> list[float]:
        """The running sum."""
        return [self.sum]

    def recall(self, values: list[float]) -> None:
        """Goes on from a running sum."""
        [self.sum] = values

    def __call__(self, signal: float, index: int | None = None) -> bool:
        """Adds `signal` to the sum, which starts again only when it passes the threshold."""
        self.sum += signal
        if self.sum <= self.limit:
            return False
        self.sum = 0.0
        return True


class RunningAverage(Demarcation):
    """Ends an event where the signal is worse than the modified mean of the last signals."""

    def __init__(self, config: DemarcationConfig, distance: Distance) -> None:
        self.window: deque[float] = deque(maxlen=config.window_size)
        self.modifier_type = config.modifier_type
        self.modifier = config.modifier
        self.distance = distance

    def remembered(self) -> list[float]:
        """The window, oldest first."""
        return list(self.window)

    def recall(self, values: list[float]) -> None:
        """Goes on from a window."""
        self.window.clear()
        self.window.extend(values)

    def __call__(self, signal: float, index: int | None = None) -> bool:
        """Compares `signal` with the window's mean before it enters; the first one only enters."""
        self.limit = math.nan
        if self.window:
            mean = sum(self.window) / len(self.window)
            self.limit = mean * self.modifier if self.modifier_type == "multiply" else mean + self.modifier
        self.window.append(signal)
        return signal < self.limit if self.distance == "similarity" else signal > self.limit


def make_demarcation(
    config: DemarcationConfig, distance: Distance, calibration: Calibration | None = None
) -> Demarcation:
    """A rule in its state at the start of a video.

    Args:
        config: the mode and its numbers.
        distance: tells which signals are bad.
        calibration: for `deviation`, `quantile` and `peak`, keeps events as long as wanted.
    """
    if config.relative:
        rule = make_demarcation(replace(config, relative=False), "distance", calibration)
        return RelativeDemarcation(rule, distance)
    if config.mode == "average":
        return RunningAverage(config, distance)
    if config.mode == "deviation":
        return RunningDeviation(config, distance, calibration)
    if config.mode == "quantile":
        return RunningQuantile(config, distance, calibration)
    if config.mode == "peak":
        return LocalPeak(config, distance, calibration)
    assert config.threshold is not None
    if config.mode == "fixed":
        return FixedThreshold(config.threshold, distance)
    return AccumulatedError(config.threshold)


def demarcation_of(config: StreamerConfig, level: int) -> Demarcation:
    """The rule of a level, in its state at the start of a video."""
    calibration = None
    if config.timescales is not None:
        lengths = [seconds / config.snippet_size for seconds in (config.snippet_size, *config.timescales)]
        # Inputs of a level are events of the one below.
        step = lengths[level]
        calibration = Calibration(lengths[level + 1], step, config.demarcation.least_length)
    return make_demarcation(config.demarcation, config.distance_of(level), calibration)


def event_starts(signals: Sequence[float], rule: Demarcation) -> list[int]:
    """Inputs with which events begin, other than the first, where all signals are known.

    Args:
        signals: of every input but the first, which has none.
        rule: in its state at the start of a video.

    Returns:
        Places of inputs, ascending; the signal of input k is `signals[k - 1]`.
    """
    rule.missed()
    return [place - rule.delay for place, signal in enumerate(signals, start=1) if rule(signal, place)]
