"""Blind predictors: hierarchies that are made without a look at the video, as floors for every score.

All return levels finest first; every level is a list of (start, end) in seconds that tiles [0, duration).
"""

import math
from collections.abc import Sequence

import numpy as np

from streamer.errors import StreamerError
from streamer.metrics.segments import Segment


def fixed_period(duration: float, period: float) -> list[list[Segment]]:
    """One level, cut at every multiple of a period; the last event may be shorter.

    Args:
        duration: length of the video in seconds.
        period: length of an event in seconds.

    Returns:
        One level.

    Raises:
        StreamerError: an argument is not a positive number.
    """
    _require_positive(duration=duration, period=period)
    # The slack keeps round-off from adding a last event of no length.
    count = math.ceil(duration / period - 1e-9)
    return [_tiling([period * index for index in range(1, count)], duration)]


def uniform(duration: float, count: int) -> list[list[Segment]]:
    """One level of events of equal length.

    Args:
        duration: length of the video in seconds.
        count: number of events.

    Returns:
        One level.

    Raises:
        StreamerError: an argument is not a positive number.
    """
    _require_positive(duration=duration, count=count)
    return [_tiling([duration * index / count for index in range(1, count)], duration)]


def dyadic_grid(duration: float, finest: float = 1.0, coarsest_count: int = 16) -> list[list[Segment]]:
    """Levels of equal events, each with half as many events as the one below.

    The finest level has the smallest power of two of events that makes them no longer than `finest`; it
    is there even if it has fewer than `coarsest_count` events.

    Args:
        duration: length of the video in seconds.
        finest: longest allowed event of the finest level, in seconds.
        coarsest_count: fewest events of a further level.

    Returns:
        At least one level.

    Raises:
        StreamerError: an argument is not a positive number.
    """
    _require_positive(duration=duration, finest=finest, coarsest_count=coarsest_count)
    count = 1
    while duration / count > finest:
        count *= 2
    levels = uniform(duration, count)
    while count % 2 == 0 and count // 2 >= coarsest_count:
        count //= 2
        levels += uniform(duration, count)
    return levels


def random_nested(
    duration: float, seed: int, step: float = 0.5, keep: Sequence[float] = (0.25, 0.4, 0.4)
) -> list[list[Segment]]:
    """Nested levels of random boundaries.

    Of the multiples of `step` inside the video, the finest level keeps each with probability keep[0];
    every further level keeps each boundary of the level below with its own probability.

    Args:
        duration: length of the video in seconds.
        seed: seed of the draw, not negative.
        step: distance of possible boundaries in seconds.
        keep: one probability per level, finest first.

    Returns:
        One level per entry of `keep`; each nests in the one above.

    Raises:
        StreamerError: duration or step is not a positive number.
    """
    _require_positive(duration=duration, step=step)
    generator = np.random.default_rng(seed)
    boundaries = step * np.arange(1, math.ceil(duration / step - 1e-9))
    levels: list[list[Segment]] = []
    for probability in keep:
        boundaries = boundaries[generator.random(len(boundaries)) < probability]
        levels.append(_tiling(boundaries.tolist(), duration))
    return levels


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise StreamerError(f"{name} is {value}: a blind hierarchy needs a positive number")


def _tiling(boundaries: list[float], duration: float) -> list[Segment]:
    return list(zip([0.0, *boundaries], [*boundaries, duration], strict=True))
