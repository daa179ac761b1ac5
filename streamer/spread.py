"""How far a level's representations lie apart: the watch for a collapse.

A model that predicts representations of its own making, or one whose learning rate is too high, may settle
for representations that are all alike. Its losses look well then, and its signals say nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

MEMORY = 300
"""Representations after which one counts for 1/e of what it did."""
COLLAPSED = 0.05
"""Spread below which representations are all but the same: on average their cosine is above 0.95."""


class Spread:
    """The spread of one level's recent representations.

    It is the variance of the representations, summed over dimensions, as a share of their mean square: 0
    where all are the same, 1 where they average out. For representations of length 1 it is D times the mean
    variance of a dimension, and 1 less the mean cosine of two of them.

    Args:
        dim: D.
        dtype: floating-point type of the representations.
        device: where they are.
    """

    def __init__(self, dim: int, dtype: torch.dtype, device: torch.device) -> None:
        self.weight = 0.0
        self._sum_D = torch.zeros(dim, dtype=dtype, device=device)
        self._squares = torch.zeros((), dtype=dtype, device=device)

    @torch.no_grad()
    def add(self, z_nD: Tensor) -> None:
        """Takes in representations, without waiting for the device."""
        kept = (1 - 1 / MEMORY) ** len(z_nD)
        self.weight = self.weight * kept + len(z_nD)
        self._sum_D.mul_(kept).add_(z_nD.sum(0))
        self._squares.mul_(kept).add_(z_nD.square().sum())

    @property
    def value(self) -> float | None:
        """The spread, 0 to 1; None before anything was taken in. Waits for the device."""
        if self.weight == 0:
            return None
        squares = float(self._squares) / self.weight
        mean_square = float(self._sum_D.square().sum()) / self.weight**2
        return max(0.0, 1 - mean_square / squares) if squares > 0 else 0.0

    def remembered(self) -> tuple[float, Tensor, Tensor]:
        """What `recall` needs."""
        return self.weight, self._sum_D.clone(), self._squares.clone()

    def recall(self, state: tuple[float, Tensor, Tensor]) -> None:
        """Goes on from what another one `remembered`."""
        self.weight = state[0]
        self._sum_D.copy_(state[1])
        self._squares.copy_(state[2])


def collapsed(spread: float | None) -> bool:
    """Whether a level's representations have become all alike, so that its signals mean nothing.

    The threshold is `COLLAPSED`. On centred features of real videos the spread stays about 0.8 where a level
    learns, and falls below the threshold within a hundred steps at a learning rate ten times too high. A
    level that is new, or watches a video in which nothing moves, may be below as well.
    """
    return spread is not None and spread < COLLAPSED
