"""Rules whose threshold follows the last signals, whatever their scale: deviation, quantile and peak.

They see signals by how bad they are: a similarity counts by its negative. None of them ends an event before
the window holds `LEAST_WINDOW` signals, before the event has its least number of inputs, or where signals
differ by no more than rounding; and signals that are not finite, of a model that has diverged, count as if
there were none. Calibrated, the share of signals that are bad follows from how many events
are owed; and while several are, the signals of long ago are forgotten, since they may be of another kind.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections import deque
from operator import mul

from streamer.calibration import Calibration
from streamer.config import Distance
from streamer.demarcation_config import LEAST_WINDOW, DemarcationConfig

FEWEST = 20  # signals that are left in the window where it forgets sooner
ROUNDING = 1e-6  # of a signal: by less, signals of a still picture differ too
SHARE_TOLERANCE = 1e-9  # of signals: 0.1 times 30 shall be 3


class AdaptiveRule(ABC):
    """What the three rules have in common.

    Args:
        config: the mode and its numbers.
        distance: tells which signals are bad.
        calibration: gives the share of signals that end events; by default the configured one.

    Attributes:
        window: the last signals by how bad they are, oldest first.
        inputs: of the running event.
        limit: beyond which the last signal would have been bad; NaN where it was compared with nothing.
    """

    delay = 0
    pending = False

    def __init__(
        self, config: DemarcationConfig, distance: Distance, calibration: Calibration | None = None
    ) -> None:
        self.window: deque[float] = deque(maxlen=config.window_size)
        self.inputs = 0
        self.limit = math.nan
        self.calibration = calibration
        self._least_length = config.least_length
        self._sign = -1.0 if distance == "similarity" else 1.0
        self._index = 0

    def __call__(self, signal: float, index: int | None = None) -> bool:
        """Compares `signal` with the last ones before it joins them."""
        index = self._index + 1 if index is None else index
        if self.calibration is not None:
            self.calibration.wait(index - self._index)
        self._index = index
        bad = self._sign * signal
        if not math.isfinite(bad):
            self.limit = math.nan
            self.missed()
            return False
        limit = math.inf if self._closed() else self._limit()
        self.limit = self._sign * limit if math.isfinite(limit) else math.nan
        boundary = self._ends(bad, bad > limit)
        self._keep(bad)
        self.inputs += 1
        if boundary:
            self.inputs = 1 + self.delay
            self._count()
        return boundary

    def missed(self) -> None:
        """An input came without a signal."""
        self.inputs += 1

    def ended(self) -> None:
        """Something else has ended an event before the last input."""
        self.inputs = 1
        self._count()

    def remembered(self) -> list[float]:
        """Counts and the window, oldest first."""
        calibration = self.calibration
        owed = (0.0, 0.0) if calibration is None else (calibration.owed, calibration.correction)
        return [float(self._index), float(self.inputs), *owed, *self.window]

    def recall(self, values: list[float]) -> None:
        """Goes on from counts and a window."""
        index, inputs, owed, correction, *window = values
        self._index, self.inputs = int(index), int(inputs)
        if self.calibration is not None:
            self.calibration.owed, self.calibration.correction = owed, correction
        self.window.clear()
        self.window.extend(window)

    def _closed(self) -> bool:
        """Whether no signal counts as bad now."""
        count, calibration = len(self.window), self.calibration
        if count < LEAST_WINDOW or calibration is None:
            return count < LEAST_WINDOW
        # A window that is too short to tell the share opens when an event is owed.
        return calibration.ahead or (calibration.owed <= 0.0 and calibration.share * count < 1.0)

    @abstractmethod
    def _limit(self) -> float:
        """The badness beyond which a signal is bad, from a window that holds enough."""

    def _ends(self, bad: float, crosses: bool) -> bool:
        """Whether an event ends, now that a signal has come."""
        return crosses and self.inputs >= self._least_length

    def _keep(self, bad: float) -> None:
        if self.calibration is not None and self.calibration.starved:
            for _ in range(min(1 + len(self.window) // 8, len(self.window) - FEWEST)):
                self._drop()
        if len(self.window) == self.window.maxlen:
            self._drop()
        self.window.append(bad)

    def _drop(self) -> None:
        self.window.popleft()

    def _count(self) -> None:
        if self.calibration is not None:
            self.calibration.end_event()


class RunningDeviation(AdaptiveRule):
    """Ends an event where the signal is worse than the mean of the last ones by some standard deviations.

    Calibrated, by so many as would be exceeded by the share, were the signals normally distributed.
    """

    def __init__(
        self, config: DemarcationConfig, distance: Distance, calibration: Calibration | None = None
    ) -> None:
        super().__init__(config, distance, calibration)
        self._deviations = config.deviations

    def _limit(self) -> float:
        window, count = self.window, len(self.window)
        mean = sum(window) / count
        # What is lost where the mean is large is less than ROUNDING.
        deviation = math.sqrt(max(0.0, sum(map(mul, window, window)) / count - mean * mean))
        deviations = self._deviations
        if self.calibration is not None:
            deviations = -0.75 * math.log(self.calibration.share) - 0.5
        rounding = ROUNDING * abs(mean)
        return mean + (deviations * deviation if deviation > rounding else max(1.0, deviations) * rounding)


class RunningQuantile(AdaptiveRule):
    """Ends an event where the signal is among the worst share of the last ones."""

    def __init__(
        self, config: DemarcationConfig, distance: Distance, calibration: Calibration | None = None
    ) -> None:
        super().__init__(config, distance, calibration)
        self._share = config.share
        self._ordered: list[float] = []

    def recall(self, values: list[float]) -> None:
        """Goes on from counts and a window."""
        super().recall(values)
        self._ordered = sorted(self.window)

    def _limit(self) -> float:
        ordered, count = self._ordered, len(self._ordered)
        share = self._share if self.calibration is None else self.calibration.share
        worse = math.ceil(share * count - SHARE_TOLERANCE) - 1  # signals of the window that may be as bad
        middle = ordered[count // 2]
        return max(ordered[count - 1 - worse], middle + ROUNDING * abs(middle))

    def _keep(self, bad: float) -> None:
        super()._keep(bad)
        insort(self._ordered, bad)

    def _drop(self) -> None:
        del self._ordered[bisect_left(self._ordered, self.window.popleft())]


class LocalPeak(RunningQuantile):
    """Ends an event before an input whose signal is worse than its neighbours and among the worst share.

    That is known with the next input only: the new event then has both. Of signals that are equally bad the
    first counts.
    """

    delay = 1

    def __init__(
        self, config: DemarcationConfig, distance: Distance, calibration: Calibration | None = None
    ) -> None:
        super().__init__(config, distance, calibration)
        self.pending = False

    def missed(self) -> None:
        """An input came without a signal: whether the last one was a peak stays unknown."""
        super().missed()
        self.pending = False

    def ended(self) -> None:
        """Something else has ended an event before the last input."""
        super().ended()
        self.pending = False

    def remembered(self) -> list[float]:
        """Counts and the window, oldest first."""
        return [float(self.pending), *super().remembered()]

    def recall(self, values: list[float]) -> None:
        """Goes on from counts and a window."""
        self.pending = bool(values[0])
        super().recall(values[1:])

    def _ends(self, bad: float, crosses: bool) -> bool:
        last = self.window[-1] if self.window else math.inf
        ends = self.pending and bad <= last
        rises = crosses and bad > last
        self.pending = not ends and rises and self.inputs >= self._least_length
        return ends
