"""Losses that wait, gradient sums with their counters, and optimiser steps.

Losses add their gradients and timescales to the modules they reach. When the level that decides has met
enough losses, each module's gradient is divided by its counter and Adam takes one step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from streamer.config import LearningConfig
from streamer.credit import reach_weights
from streamer.levels import Levels
from streamer.modules import Level
from streamer.observation import DueLoss
from streamer.replicas import Replicas
from streamer.tally import Tally


@dataclass(frozen=True)
class Loss:
    """A loss that has been counted, and whose gradient is to be computed.

    Attributes:
        due: the prediction and its target.
        weight: of the loss in its own level's p: the timescale, or 1.
        reach: weights of the representations that the prediction was made from, beside `weight`.
    """

    due: DueLoss
    weight: float
    reach: tuple[float, ...]


class GradientSum:
    """The accumulated gradient of one module in one flat tensor, with the counter that normalises it.

    The parameters' `grad` are views of it, into which backward passes add.

    Attributes:
        flat: all gradients in the order of the module's parameters, `[number of parameters]`.
        counter: sum of the timescales of the losses that were added.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters = list(module.parameters())
        sizes = [parameter.numel() for parameter in self.parameters]
        self.flat = torch.zeros(sum(sizes), dtype=self.parameters[0].dtype, device=self.parameters[0].device)
        self.counter = 0.0
        self._views = [
            part.view_as(parameter)
            for part, parameter in zip(self.flat.split(sizes), self.parameters, strict=True)
        ]
        self.clear()

    def normalize(self) -> None:
        """Divides by the counter; a module that met no loss has no gradient, and so keeps Adam's state."""
        if self.counter != 0:
            self.flat.div_(self.counter)
            return
        for parameter in self.parameters:
            parameter.grad = None

    def clear(self) -> None:
        """Starts the next sum."""
        self.flat.zero_()
        self.counter = 0.0
        for view, parameter in zip(self._views, self.parameters, strict=True):
            parameter.grad = view


class Learner:
    """Gradient sums of all levels and the optimiser.

    Attributes:
        optimizer: Adam, with its own state for each parameter.
        losses: C, losses per level since the last step, over all lanes.
        waiting: losses that have been counted but whose gradients have not been computed.
        steps: optimiser steps taken.

    Args:
        levels: the parameters.
        config: how they follow the losses.
        lanes: number of lanes over all workers, B.
    """

    def __init__(self, levels: Levels, config: LearningConfig, lanes: int) -> None:
        self.config = config
        self._lanes = lanes
        self.f_sums: list[GradientSum] = []
        self.p_sums: list[GradientSum] = []
        self.losses = Tally(levels.config.learned_levels)
        self.waiting: list[Loss] = []
        self.steps = 0
        empty = torch.zeros(0, dtype=levels.arithmetic.state, device=levels.device)
        self.optimizer = torch.optim.Adam([empty], lr=config.lr, fused=True)
        self.optimizer.param_groups.clear()
        for level in levels:
            self.add_level(level)

    @property
    def num_levels(self) -> int:
        """Levels that learn."""
        return len(self.f_sums)

    @property
    def base_steps_left(self) -> int:
        """At least so many base steps will pass before the next optimiser step."""
        level = self._step_level
        met = self.losses.total[level] + self.losses.since_barrier[level]
        return max(1, math.ceil((self.config.optimize_every * self._lanes - met) / self._lanes))

    @property
    def _step_level(self) -> int:
        """The level whose losses decide when to step."""
        return 0 if self.config.step_level == "lowest" else self.num_levels - 1

    def add_level(self, level: Level) -> None:
        """Makes room for a level that was created."""
        for module, sums in ((level.f, self.f_sums), (level.p, self.p_sums)):
            sums.append(GradientSum(module))
            self.optimizer.add_param_group({"params": sums[-1].parameters})

    def accept(self, due: Iterable[DueLoss]) -> None:
        """Weighs and counts the losses of one base step.

        A loss reaches f of every level that exists, by its reach weight, and p of its own level only. All
        levels that the base step created must have been added before.
        """
        for loss in due:
            reach = (
                reach_weights(loss.level, self.num_levels, self.config.alpha)
                if self.config.hgn_reach
                else [1.0] * self.num_levels
            )
            timescale = float(loss.timescale) if self.config.hgn_timescale else 1.0
            for sums in (*self.f_sums, self.p_sums[loss.level]):
                sums.counter += timescale
            self.waiting.append(Loss(loss, timescale, tuple(reach[: len(loss.prediction.sources)])))

    def take_losses(self) -> list[Loss]:
        """Hands out the losses that wait."""
        taken, self.waiting = self.waiting, []
        return taken

    def step_due(self) -> bool:
        """Whether the level that decides has met its share of losses, as of the last barrier."""
        return self.losses.total[self._step_level] >= self.config.optimize_every * self._lanes

    def gather(self, replicas: Replicas) -> None:
        """Replaces gradient sums and counters by their sums over replicas; no loss may wait."""
        assert not self.waiting, "gradients of losses that wait are missing"
        sums = (*self.f_sums, *self.p_sums)
        counters = replicas.sum_(torch.tensor([s.counter for s in sums], dtype=torch.float64)).tolist()
        for gradient_sum, counter in zip(sums, counters, strict=True):
            replicas.sum_(gradient_sum.flat)
            gradient_sum.counter = counter

    def step(self) -> None:
        """One Adam step of every module that has a gradient; then sums and counters start again."""
        assert not self.waiting, "gradients of losses that wait are missing"
        sums = (*self.f_sums, *self.p_sums)
        for gradient_sum in sums:
            gradient_sum.normalize()
        self.optimizer.step()
        for gradient_sum in sums:
            gradient_sum.clear()
        self.losses.clear()
        self.steps += 1
