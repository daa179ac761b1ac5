"""Rules that end an event, each fed one signal at a time and cleared at the start of a video."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from streamer.config import DemarcationConfig, Distance


class Demarcation(Protocol):
    """Says of every signal of a level whether an event ends at it."""

    def __call__(self, signal: float) -> bool:
        """True where `signal` ends an event; every signal of the level must be offered, in order."""
        ...

    def remembered(self) -> list[float]:
        """What it remembers of the video's signals."""
        ...

    def recall(self, values: list[float]) -> None:
        """Goes on from what another one `remembered`."""
        ...


class FixedThreshold:
    """Ends an event where the similarity is below, or the distance above, a threshold."""

    def __init__(self, threshold: float, distance: Distance) -> None:
        self.threshold = threshold
        self.distance = distance

    def __call__(self, signal: float) -> bool:
        """Compares `signal` with the threshold."""
        return signal < self.threshold if self.distance == "similarity" else signal > self.threshold

    def remembered(self) -> list[float]:
        """Nothing."""
        return []

    def recall(self, values: list[float]) -> None:
        """Goes on; there is nothing to recall."""
        assert not values


class AccumulatedError:
    """Ends an event when the errors summed since the last one exceed a threshold."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.sum = 0.0

    def remembered(self) -> list[float]:
        """The running sum."""
        return [self.sum]

    def recall(self, values: list[float]) -> None:
        """Goes on from a running sum."""
        [self.sum] = values

    def __call__(self, signal: float) -> bool:
        """Adds `signal` to the sum, which starts again only when it passes the threshold."""
        self.sum += signal
        if self.sum <= self.threshold:
            return False
        self.sum = 0.0
        return True


class RunningAverage:
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

    def __call__(self, signal: float) -> bool:
        """Compares `signal` with the window's mean before it enters; the first one only enters."""
        boundary = False
        if self.window:
            mean = sum(self.window) / len(self.window)
            limit = mean * self.modifier if self.modifier_type == "multiply" else mean + self.modifier
            boundary = signal < limit if self.distance == "similarity" else signal > limit
        self.window.append(signal)
        return boundary


def make_demarcation(config: DemarcationConfig, distance: Distance) -> Demarcation:
    """A rule in its state at the start of a video."""
    if config.mode == "average":
        return RunningAverage(config, distance)
    assert config.threshold is not None
    if config.mode == "fixed":
        return FixedThreshold(config.threshold, distance)
    return AccumulatedError(config.threshold)
