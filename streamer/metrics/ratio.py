"""A share of a whole, kept as its two parts so that it can be pooled over videos."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A numerator and a denominator; the pooled value of several is sum / sum.

    Attributes:
        numerator: what was reached.
        denominator: what could have been reached, not negative; 0 where nothing could.
    """

    numerator: float
    denominator: float

    @property
    def value(self) -> float:
        """Numerator / denominator; nan (undefined) where the denominator is 0."""
        return self.numerator / self.denominator if self.denominator else math.nan
