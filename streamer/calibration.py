"""The share of signals that shall end events, so that these become as long as wanted while video streams by.

What counts is how many events are owed: those that should have ended by now less those that have. The more
are owed, the larger the share; where the debt stays, a slow correction learns what the signal's distribution
asks for. Both are bounded: a long still stretch, in which nothing ends, is not made up for with a flood of
events afterwards, and a lively one is not followed by silence.
"""

from __future__ import annotations

import math

GAIN = 0.35  # of the logarithm of the share, per event that is owed
MOST_OWED = 6.0  # events, in either direction
STARVED = 4.0  # owed events from which on the signals of long ago are forgotten
LEARNING = 0.03  # of the slow correction, per owed event and event that is due
MOST_CORRECTION = 2.0  # of the logarithm of the share
LEAST_SHARE = 1e-4
FIRST_DEBT = -0.5  # the first event of a video has only begun


class Calibration:
    """Follows one level of one video.

    Args:
        length: wanted mean length of events, in snippets.
        step: expected snippets from one input of the level to the next.
        least_length: inputs that an event must have.

    Attributes:
        owed: events that should have ended by now less those that have, bounded.
        correction: of the logarithm of the share, from what was owed so far.
    """

    def __init__(self, length: float, step: float = 1.0, least_length: int = 1) -> None:
        self.length = length
        self.owed = FIRST_DEBT
        self.correction = 0.0
        # An event goes on until `least_length`, and then with every input ends by the share.
        self._first = step / max(length - (least_length - 1) * step, step)

    @property
    def share(self) -> float:
        """The share of signals that may end events now, of those that come when an event is long enough."""
        share = self._first * math.exp(GAIN * self.owed + self.correction)
        return min(1.0, max(LEAST_SHARE, share))

    @property
    def starved(self) -> bool:
        """Whether as many events are owed as can be."""
        return self.owed >= STARVED

    @property
    def ahead(self) -> bool:
        """Whether so many events have ended too early that none may for now."""
        return self.owed < 1.0 - MOST_OWED

    def wait(self, snippets: int) -> None:
        """So many snippets have passed."""
        due = snippets / self.length
        self.owed = min(MOST_OWED, self.owed + due)
        correction = self.correction + LEARNING * self.owed * due
        self.correction = min(MOST_CORRECTION, max(-MOST_CORRECTION, correction))

    def end_event(self) -> None:
        """An event has ended."""
        self.owed = max(-MOST_OWED, self.owed - 1.0)  # other causes may end events all the same
