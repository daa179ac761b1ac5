"""What it costs to merge two neighbouring events into one.

The unit is a snippet: to merge an event of n snippets with one of as many that has nothing in common with it
costs n/2, and never more than the shorter one has snippets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Cost = Callable[[float, float, np.ndarray, np.ndarray], float]
"""Cost of merging two neighbours: their numbers of snippets, their mean vectors `[D]`."""

SAME_VIEW = 1.0
"""From this cost on, two neighbours show different views."""


def cosine_ward(one: float, other: float, mean_D: np.ndarray, other_mean_D: np.ndarray) -> float:
    """Ward's weight of two events times one less the cosine between their means.

    Ward's criterion (1963) weighs squared distances in this way, so that short events join before long ones.
    A cosine is bounded, so that the same costs mean the same for all material.
    """
    return one * other / (one + other) * _dissimilarity(mean_D, other_mean_D)


@dataclass(frozen=True)
class PaletteCost:
    """`cosine_ward` of views, and beyond a change of view that of their palettes.

    How much the layout of a picture changes at a cut says nothing about whether the scene does: all that
    counts from there on are colours, which views of one place share.

    Attributes:
        palette: how many of a vector's numbers, the first, are the palette (`streamer.palette`).
    """

    palette: int

    def __call__(self, one: float, other: float, mean_D: np.ndarray, other_mean_D: np.ndarray) -> float:
        """Cost of merging two neighbours."""
        view = cosine_ward(one, other, mean_D[self.palette :], other_mean_D[self.palette :])
        if view < SAME_VIEW:
            return view
        return SAME_VIEW + cosine_ward(one, other, mean_D[: self.palette], other_mean_D[: self.palette])


def _dissimilarity(one_D: np.ndarray, other_D: np.ndarray) -> float:
    """One less the cosine; 0 between vectors of zeros, 1 between one and any other."""
    one, other = float(one_D @ one_D), float(other_D @ other_D)
    if one == 0 or other == 0:
        return float(one != other)
    # Rooted one by one: of tiny vectors the product would be zero. Between those, rounding goes far.
    cosine = float(one_D @ other_D) / (math.sqrt(one) * math.sqrt(other))
    return 1 - min(1.0, max(-1.0, cosine))
