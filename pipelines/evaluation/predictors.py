"""Whose hierarchies are scored: the run's own, and the blind floors that stand beside them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.evaluation.scores import TRUTH
from pipelines.run_folder import RunFolder, RunFolderError
from streamer.metrics import Segment, dyadic_grid, fixed_period, random_nested, uniform

STREAMER = "streamer"
"""Predictor of a run that names none: one that was trained, or segmented by a model."""

FLOORS = ("fixed_period", "uniform", "dyadic_grid", "random_nested")
SHUFFLED = "shuffled"
"""The run's own events with their representations dealt out at random: the floor of representations."""

FIXED_PERIOD = 2.0
"""Seconds; the best of 1, 2, 3 and 5 s on EPIC-KITCHENS-100, so the strongest floor of its kind."""

RANDOM_DRAWS = 5

Levels = Sequence[Sequence[Segment]]
"""A hierarchy: events in seconds, finest level first, every level tiling the video."""


def own_predictor(folder: RunFolder, run: Mapping[str, Any]) -> str:
    """What the predictor of a run is called.

    Args:
        folder: the run.
        run: what `run.json` says.

    Raises:
        RunFolderError: it names no predictor that scores could be stored under.
    """
    name = run.get("predictor", STREAMER)
    if isinstance(name, str) and re.fullmatch(r"[\w-]{1,40}", name) and name not in (TRUTH, SHUFFLED):
        return name
    raise RunFolderError(
        f"{folder.run_json}: predictor is {name!r}: give it a name of letters, digits, _ and -, "
        f"other than {TRUTH} and {SHUFFLED}"
    )


def in_order(own: str) -> tuple[str, ...]:
    """The run's own predictor first, then the floors; a run that is itself a floor takes that one's place."""
    return (own, *(floor for floor in FLOORS if floor != own))


def floor_hierarchies(
    video_id: str, counts: Sequence[int], *, duration: float, seed: int
) -> dict[str, list[Levels]]:
    """The floors of one video.

    Args:
        video_id: the video; with `seed` it determines the random floor.
        counts: true number of events of each level of annotation that is scored against; the uniform floor
            is told.
        duration: length of the video in seconds.
        seed: seed of the evaluation.

    Returns:
        Per floor one hierarchy, or several that were drawn at random.
    """
    draws = [random_nested(duration, _draw_seed(seed, video_id, draw)) for draw in range(RANDOM_DRAWS)]
    return {
        "fixed_period": [fixed_period(duration, FIXED_PERIOD)],
        "uniform": [[uniform(duration, max(1, count))[0] for count in counts]],
        "dyadic_grid": [dyadic_grid(duration)],
        "random_nested": list(draws),
    }


def _draw_seed(seed: int, video_id: str, draw: int) -> int:
    """A seed that depends on nothing but its arguments, in any process and on any version of Python."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{draw}/{video_id}".encode()).digest()[:8], "big")
