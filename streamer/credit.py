"""How much a loss at one level moves the parameters of another.

Source: hierarchical gradient normalisation, Mounir et al., "STREAMER" (NeurIPS 2023).
"""

from __future__ import annotations


def reach_weights(level: int, num_levels: int, alpha: float) -> list[float]:
    """Weights of a loss at `level` for the temporal encodings of levels 0 to `num_levels - 1`.

    The weight falls by the factor `alpha` per level of distance; weights at the distances that occur, each
    counted once, sum to one.
    """
    farthest = max(level, num_levels - 1 - level)
    total = sum(alpha**-distance for distance in range(farthest + 1))
    return [alpha ** -abs(other - level) / total for other in range(num_levels)]
