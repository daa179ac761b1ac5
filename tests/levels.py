"""Made-up levels of events."""

from __future__ import annotations

from collections.abc import Sequence


def close_levels(starts: Sequence[Sequence[float]], duration_s: float) -> list[list[tuple[float, float]]]:
    """Turns the times at which events start, per level, into segments that end with the video."""
    return [list(zip(level, [*level[1:], duration_s], strict=True)) for level in starts]
