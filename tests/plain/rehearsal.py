"""Past losses that join every optimiser step, each computed anew by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from streamer.credit import reach_weights
from streamer.reservoir import make_reservoir
from tests.plain import distance
from tests.plain.lane import DueLoss
from tests.plain.learner import Learner
from tests.plain.levels import Levels


class Rehearsal:
    """The past losses of one lane.

    Args:
        levels: the parameters.
        lane: its number over all workers.
    """

    def __init__(self, levels: Levels, lane: int) -> None:
        self._levels = levels
        self._config = levels.config.learning
        self._reservoir = make_reservoir(self._config, levels.seed, lane)
        self._losses: dict[int, DueLoss] = {}

    def offer(self, losses: Iterable[DueLoss]) -> None:
        """Keeps losses that fell due in this lane, or not."""
        for loss in losses:
            slot = self._reservoir.place()
            if slot is not None:
                self._losses[slot] = replace(loss, loss=loss.loss.detach())  # without its graph

    def add_gradients(self, learner: Learner) -> None:
        """Adds the gradients of those that are drawn to f and p of their levels."""
        for slot in self._reservoir.draw(self._config.replay_batch):
            loss = self._losses[slot]
            weights = reach_weights(loss.level, len(self._levels), self._config.alpha)
            reach = weights[loss.level] if self._config.hgn_reach else 1.0
            timescale = float(loss.timescale) if self._config.hgn_timescale else 1.0
            f, p = learner.f_sums[loss.level], learner.p_sums[loss.level]
            learner.add_gradients(self._again(loss), [(f, timescale * reach), (p, timescale)])
            f.counter += timescale
            p.counter += timescale

    def _again(self, loss: DueLoss) -> Tensor:
        level, kind = self._levels[loss.level], self._levels.config.distance_of(loss.level)
        past = loss.past
        assert past is not None
        known = list(past.known)
        known[loss.level] = level.f(past.inputs)
        prediction = level.p(torch.stack(known), past.last, past.before)
        return distance.loss(kind, distance.signal(kind, prediction, past.target))
