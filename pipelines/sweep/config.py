"""Configuration of the `sweep` command, and what its file may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streamer.config import require


@dataclass
class SweepConfig:
    """Tries many settings, each in a training of its own, and ranks them by a metric.

    Attributes:
        file: YAML file that says what to try; docs/sweeps.md tells its keys. The same command goes on with a
            sweep that was stopped.
        fresh: start over; removes what an earlier sweep left in its folder.
    """

    file: str
    fresh: bool = False


@dataclass(frozen=True)
class SweepFile:
    """What the file of a sweep holds.

    Attributes:
        out: folder of the sweep.
        train: options of `streamer train` that all trials share, as in its configuration files; all but out
            and fresh.
        space: for each searched option, by its dotted name, what to try: a list of choices, or, in a random
            search, {uniform: [LOW, HIGH]}, {loguniform: [LOW, HIGH]} or {randint: [LOW, HIGH]}, both ends
            included.
        metric: the score that ranks trials: of the whole hierarchy (clip/hlr_iou) or of one of its levels
            (clip/level0/boundary_f1_at_3s).
        mode: whether its greatest or its smallest value is the best.
        search: grid = all combinations of the choices; random = as many settings as samples says.
        samples: settings that a random search tries; a file with more of them goes on with its sweep.
        seed: determines what a random search tries; 0 where it is left away.
        concurrent: trials that run at the same time.
        max_failed: exit with 1 when more trials failed.
    """

    out: str
    train: Mapping[str, Any]
    space: Mapping[str, Any]
    metric: str
    mode: Literal["max", "min"] = "max"
    search: Literal["grid", "random"] = "grid"
    samples: int | None = None
    seed: int | None = None
    concurrent: int = 1
    max_failed: int = 0

    def __post_init__(self) -> None:
        require(self.out != "", "out is empty: name the folder of the sweep")
        require(self.metric != "", "metric is empty: name a score, as clip/hlr_iou")
        require(len(self.space) > 0, "space is empty: name at least one option of `streamer train` to search")
        require(self.concurrent >= 1, f"concurrent must be at least 1, not {self.concurrent}")
        require(self.max_failed >= 0, f"max_failed must not be negative, not {self.max_failed}")
        if self.search == "grid":
            for name in ("samples", "seed"):
                require(getattr(self, name) is None, f"{name} has no effect with search: grid: remove it")
            return
        require(self.samples is not None, "search: random needs samples, the number of settings to try")
        require(self.samples is None or self.samples >= 1, f"samples must be at least 1, not {self.samples}")
        require(self.seed is None or self.seed >= 0, f"seed must not be negative, not {self.seed}")
