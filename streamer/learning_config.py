"""Configuration of how parameters follow the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamer.checks import require, require_types

OF_SEVERAL_LEVELS = ("alpha", "hgn_timescale", "hgn_reach")
"""Settings without effect where one level alone learns, which has an input at every snippet."""


@dataclass(frozen=True)
class LearningConfig:
    """How parameters follow the losses.

    Attributes:
        lr: Adam's learning rate.
        alpha: reach of hierarchical gradient normalisation: the weight of a loss falls by this factor
            per level.
        optimize_every: losses of the level in `step_level` between two optimiser steps.
        step_level: whose losses `optimize_every` counts: of the `highest` existing level, or of the `lowest`,
            which meets one at every snippet.
        keep_predictions: after an optimiser step make representations and predictions anew from the working
            sets as they stand, with the new parameters; off, a step empties them, and every level's next
            input meets no prediction and gives no signal.
        replay: past losses of each lane that are kept, to be learned from again; 0 for none. For models of
            vectors, or of frozen features.
        replay_from: which ones: a random sample of `all` that the lane met, or its most `recent`, where the
            model shall follow what it watches more than remember what it watched.
        replay_batch: so many of them, drawn from each lane's, join every optimiser step.
        hgn_timescale: weigh each loss with the number of snippets since the level's previous input.
        hgn_reach: weigh each loss by its distance in levels; off, every level gets it in full.
    """

    lr: float = 1e-4
    alpha: float = 3.0
    optimize_every: int = 100
    step_level: Literal["highest", "lowest"] = "highest"
    keep_predictions: bool = False
    replay: int = 0
    replay_from: Literal["all", "recent"] = "all"
    replay_batch: int = 16
    hgn_timescale: bool = True
    hgn_reach: bool = True

    def __post_init__(self) -> None:
        require_types(self, "model.learning")
        require(self.lr > 0, f"model.learning.lr must be positive, not {self.lr}")
        require(self.alpha > 0, f"model.learning.alpha must be positive, not {self.alpha}")
        require(
            self.optimize_every >= 1,
            f"model.learning.optimize_every must be at least 1, not {self.optimize_every}",
        )
        self._check_replay()

    def _check_replay(self) -> None:
        require(self.replay >= 0, f"model.learning.replay must not be negative, not {self.replay}")
        if self.replay == 0:
            require(
                self.replay_batch == 16,
                "model.learning.replay_batch has no effect while model.learning.replay is 0: remove it, or "
                "set model.learning.replay to the number of past losses to keep",
            )
            require(
                self.replay_from == "all",
                "model.learning.replay_from has no effect while model.learning.replay is 0: remove it, or "
                "set model.learning.replay to the number of past losses to keep",
            )
            return
        require(
            1 <= self.replay_batch <= self.replay,
            f"model.learning.replay_batch must be from 1 to model.learning.replay ({self.replay}), not "
            f"{self.replay_batch}",
        )
