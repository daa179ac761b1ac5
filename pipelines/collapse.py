"""The watch for a collapse: warns when a level's representations stay all alike while the model learns."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.spread import collapsed

PATIENCE = 3  # reports in a row, between which the model took steps
FIRST_STEP = 50  # before it a level is new, and knows little apart


class CollapseWatch:
    """Looks at every report; warns of each level once."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._warned: set[int] = set()
        self._steps = 0

    def look(self, spreads: Sequence[float | None], steps: int) -> list[str]:
        """What is to be said after a report.

        Args:
            spreads: per level, the greatest of all workers; None where it is not known.
            steps: optimiser steps taken so far.
        """
        learned, self._steps = steps > self._steps and steps >= FIRST_STEP, steps
        warnings = []
        for level, spread in enumerate(spreads):
            if not collapsed(spread):
                self._seen[level] = 0
            elif learned:
                self._seen[level] = self._seen.get(level, 0) + 1
            if self._seen.get(level, 0) >= PATIENCE and level not in self._warned:
                self._warned.add(level)
                warnings.append(
                    f"level {level}: its representations have become all but the same (spread {spread:.3f} "
                    "of 1), so that its signals say little: lower --model.learning.lr, unless nothing "
                    "happens in these videos"
                )
        return warnings
