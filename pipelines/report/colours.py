"""Colours in which events that are alike look alike.

The first three principal components of a level's representations place each event in a cube; every axis is
spread evenly by ranks, so that all of the cube is used however the representations are distributed. The pages
turn the place into a colour: two axes are the hue and its strength, the third a little lightness.
"""

from __future__ import annotations

import numpy as np

STEPS = 16
"""Per axis: a code is `x + STEPS * y + STEPS**2 * z`."""

UNKNOWN = -1
"""Code of an event without a representation, or in a level whose events cannot be told apart."""

_AXES = 3
_FLAT = 1e-6  # share of the variance below which an axis holds rounding only


class Palette:
    """Places the representations of one level.

    Args:
        units: representations of length 1 from which the axes are learned, float32 [m, D].
    """

    def __init__(self, units: np.ndarray) -> None:
        self._mean = units.mean(axis=0, dtype=np.float64) if len(units) else np.zeros(units.shape[1])
        centred = units - self._mean
        variances, axes = np.linalg.eigh(centred.T @ centred)
        order = np.argsort(variances)[::-1][:_AXES]
        kept = order[variances[order] > _FLAT * max(1e-12, float(len(units)))]
        # An axis has no sign of its own; its largest entry decides.
        signs = np.sign(axes[np.abs(axes[:, kept]).argmax(axis=0), kept])
        self._axes = axes[:, kept] * signs
        self._ranks = np.sort(centred @ self._axes, axis=0)

    def codes(self, units: np.ndarray) -> list[int]:
        """The code of each representation [n, D]; `UNKNOWN` for rows of nan."""
        if not self._axes.shape[1]:
            return [UNKNOWN] * len(units)
        known = ~np.isnan(units[:, 0])
        places = (units[known] - self._mean) @ self._axes
        whole = np.zeros(len(places), np.int64)
        for axis in range(_AXES):
            if axis < places.shape[1]:
                ranks = np.searchsorted(self._ranks[:, axis], places[:, axis], side="right")
                share = (ranks - 0.5) / max(1, len(self._ranks))
                steps = np.clip(np.floor(share * STEPS), 0, STEPS - 1).astype(np.int64)
            else:
                steps = np.full(len(places), STEPS // 2)
            whole += steps * STEPS**axis
        codes = np.full(len(units), UNKNOWN, np.int64)
        codes[known] = whole
        return codes.tolist()
