"""Signals by how much worse they are than the last ones.

Between scenes that are predicted well and scenes that never are, errors differ more than within either, so
that one threshold for both finds everything in the one or nothing in the other. The logarithm of an error
over the recent level of error is alike in all scenes. That level is a running mean over about `INPUTS`
errors; `FLOOR` is added to both, so that among errors that are all small none counts as large. It suits
errors of which 1 is much: 1 - similarity, or distances of inputs of size 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from streamer.config import Distance

if TYPE_CHECKING:
    from streamer.demarcation import Demarcation

INPUTS = 6
"""The level moves by one part in so many towards each error."""
FLOOR = 0.1
"""Error that counts as none."""
LARGEST = 700.0  # logarithm of a number that still is one
STILL = 1e-5  # smaller logarithms are rounding, as of a still picture


class RelativeDemarcation:
    """Lets a rule read the logarithm of each error over the level of those before.

    Attributes:
        delay: that of the rule.
        pending: that of the rule.
        limit: beyond which the last signal would have been bad; NaN where it was compared with nothing.

    Args:
        rule: takes large values for bad.
        distance: of the signals.
    """

    def __init__(self, rule: Demarcation, distance: Distance) -> None:
        self.delay, self.pending, self.limit = rule.delay, rule.pending, math.nan
        self._rule = rule
        self._similar = distance == "similarity"
        self._level: float | None = None

    def __call__(self, signal: float, index: int | None = None) -> bool:
        """Asks the rule; not about the first signal, before which there is no level."""
        if not math.isfinite(signal):  # it would stay in the level for good
            self._rule(signal, index)
            self.pending, self.limit = self._rule.pending, math.nan
            return False
        # Rounding may leave a similarity a little above 1.
        error, level = max(0.0, self._between(signal)), self._level
        if level is None:
            self._level, self.limit = error, math.nan
            self.missed()
            return False
        self._level = level + (error - level) / INPUTS
        ratio = math.log((error + FLOOR) / (level + FLOOR))
        boundary = self._rule(ratio if abs(ratio) >= STILL else 0.0, index)
        self.pending = self._rule.pending
        times = math.exp(min(self._rule.limit, LARGEST))
        self.limit = self._between(times * (level + FLOOR) - FLOOR)
        return boundary

    def missed(self) -> None:
        """An input of the level came without a signal."""
        self._rule.missed()
        self.pending = self._rule.pending

    def ended(self) -> None:
        """Something else than this rule has ended an event before the last input."""
        self._rule.ended()
        self.pending = self._rule.pending

    def remembered(self) -> list[float]:
        """The level, or -1, and what the rule remembers."""
        return [-1.0 if self._level is None else self._level, *self._rule.remembered()]

    def recall(self, values: list[float]) -> None:
        """Goes on from what another one `remembered`."""
        level, *remembered = values
        self._level = None if level < 0 else level
        self._rule.recall(remembered)
        self.pending = self._rule.pending

    def _between(self, value: float) -> float:
        """The error of a signal, or the signal of an error."""
        return 1.0 - value if self._similar else value
