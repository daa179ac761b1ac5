"""Gradients, their counters and optimiser steps.

Losses add their gradients and timescales to the modules they reach. When the highest level has met enough
losses, each module's gradient is divided by its counter and Adam takes one step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamer.config import LearningConfig
from streamer.credit import reach_weights
from streamer.replicas import Replicas
from streamer.tally import Tally
from tests.plain.lane import DueLoss
from tests.plain.levels import Levels
from tests.plain.modules import Level


class GradientSum:
    """The accumulated gradient of one module in one flat tensor, with the counter that normalises it.

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

    def add(self, gradients: Sequence[Tensor | None], weight: float) -> None:
        """Adds `weight` times the gradients, one per parameter; None stands for zero."""
        for view, gradient in zip(self._views, gradients, strict=True):
            if gradient is not None:
                view.add_(gradient, alpha=weight)

    def normalize(self) -> None:
        """Divides by the counter and hands the result to the parameters, as their `grad`."""
        if self.counter != 0:
            self.flat.div_(self.counter)
        for view, parameter in zip(self._views, self.parameters, strict=True):
            parameter.grad = view if self.counter != 0 else None

    def clear(self) -> None:
        """Starts the next sum."""
        self.flat.zero_()
        self.counter = 0.0
        for parameter in self.parameters:
            parameter.grad = None


class Learner:
    """Gradient sums of all levels and the optimiser.

    Attributes:
        optimizer: Adam, with its own state for each parameter.
        losses: C, losses per level since the last step, over all lanes.
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
        self.losses = Tally(levels.config.max_levels)
        self.steps = 0
        self.optimizer = torch.optim.Adam([torch.zeros(0)], lr=config.lr)
        self.optimizer.param_groups.clear()
        for level in levels:
            self.add_level(level)

    @property
    def num_levels(self) -> int:
        """Levels that learn."""
        return len(self.f_sums)

    def add_level(self, level: Level) -> None:
        """Makes room for a level that was created."""
        for module, sums in ((level.f, self.f_sums), (level.p, self.p_sums)):
            sums.append(GradientSum(module))
            self.optimizer.add_param_group({"params": sums[-1].parameters})

    def accumulate(self, due: Sequence[DueLoss]) -> None:
        """Adds the gradients of the losses of one snippet.

        A loss reaches f of every level that exists, by its reach weight, and p of its own level only. All
        levels that the snippet created must have been added before.
        """
        for loss in due:
            weights = (
                reach_weights(loss.level, self.num_levels, self.config.alpha)
                if self.config.hgn_reach
                else [1.0] * self.num_levels
            )
            timescale = float(loss.timescale) if self.config.hgn_timescale else 1.0
            targets = [(sums, timescale * weight) for sums, weight in zip(self.f_sums, weights, strict=True)]
            targets.append((self.p_sums[loss.level], timescale))
            self._add_gradients(loss.loss, targets)
            for sums, _ in targets:
                sums.counter += timescale

    def _add_gradients(self, loss: Tensor, targets: Sequence[tuple[GradientSum, float]]) -> None:
        parameters = [parameter for sums, _ in targets for parameter in sums.parameters]
        # Graphs of upper levels' representations live on: later predictions use them again.
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        start = 0
        for sums, weight in targets:
            end = start + len(sums.parameters)
            sums.add(gradients[start:end], weight)
            start = end

    def step_due(self) -> bool:
        """Whether the level that decides has met its share of losses, as of the last barrier."""
        level = 0 if self.config.step_level == "lowest" else self.num_levels - 1
        return self.losses.total[level] >= self.config.optimize_every * self._lanes

    def gather(self, replicas: Replicas) -> None:
        """Replaces gradient sums and counters by their sums over replicas."""
        sums = (*self.f_sums, *self.p_sums)
        counters = replicas.sum_(torch.tensor([s.counter for s in sums], dtype=torch.float64)).tolist()
        for gradient_sum, counter in zip(sums, counters, strict=True):
            replicas.sum_(gradient_sum.flat)
            gradient_sum.counter = counter

    def step(self) -> None:
        """One Adam step of every module that has a gradient; then sums and counters start again."""
        sums = (*self.f_sums, *self.p_sums)
        for gradient_sum in sums:
            gradient_sum.normalize()
        self.optimizer.step()
        for gradient_sum in sums:
            gradient_sum.clear()
        self.losses.clear()
        self.steps += 1
