"""The two ways in which workers learn together.

`gradients`: one model. Gradients and counts of all workers are summed at barriers, and all take the same
step. `parameters`: as the published release does it, every worker optimises alone and parameters are
averaged at barriers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from streamer.replicas import Replicas, SingleReplica
from streamer.streamer import Streamer


class Synchronization(Protocol):
    """How a worker's model learns, and how it meets the others.

    Attributes:
        averaged_steps: optimiser steps at the last averaging of parameters; 0 where none are averaged.
    """

    averaged_steps: int

    def base_step_done(self) -> None:
        """Called after base steps between barriers, before any video ends."""
        ...

    def barrier(self, observed: int, flags: Sequence[float]) -> list[float]:
        """Meets the other workers.

        Args:
            observed: snippets since the last barrier.
            flags: numbers to be summed over workers.

        Returns:
            The sums of `flags`.
        """
        ...

    def finish(self) -> None:
        """Makes all replicas equal after the last barrier."""
        ...


class SummedGradients:
    """Sums gradients and counters; replicas are bit-equal after every step and at the end."""

    def __init__(self, model: Streamer) -> None:
        self._model = model
        self.averaged_steps = 0

    def base_step_done(self) -> None:
        """Nothing to do: the model adds to this worker's gradients by itself."""

    def barrier(self, observed: int, flags: Sequence[float]) -> list[float]:
        """Sums counts, and gradients where a step is due."""
        return self._model.barrier(flags)

    def finish(self) -> None:
        """Gathers the gradients that no step has used, so that every replica's checkpoint holds them all."""
        self._model.gather()


class AveragedParameters:
    """Lets every worker optimise alone and averages parameters where all have equally many levels.

    Adam's moments stay each worker's own. After an averaging, predictions start afresh, as after a step; so
    barriers to which no worker brings a step since the last averaging leave everything as it is.

    Args:
        model: this worker's model, which must have no replicas of its own.
        replicas: the workers.
    """

    def __init__(self, model: Streamer, replicas: Replicas) -> None:
        assert isinstance(model.replicas, SingleReplica), "every worker optimises alone"
        self._model = model
        self._replicas = replicas
        self.averaged_steps = 0

    def base_step_done(self) -> None:
        """Learns as if there were no other worker."""
        self._model.barrier()

    def barrier(self, observed: int, flags: Sequence[float]) -> list[float]:
        """Averages over the workers that saw a snippet since the last barrier; the others follow."""
        self._model.barrier()
        weight = float(observed > 0)
        most = self._model.config.max_levels
        here = [weight * (len(self._model.levels) == count) for count in range(1, most + 1)]
        numbers = [*here, self._steps - self.averaged_steps, *flags]
        sums = self._replicas.sum_(torch.tensor(numbers, dtype=torch.float64)).tolist()
        counts = [count for count in range(1, most + 1) if sums[count - 1] > 0]
        if len(counts) == 1 and sums[most] > 0:
            self._adopt(counts[0], weight / sums[counts[0] - 1])
            self.averaged_steps = self._steps
        return sums[most + 1 :]

    @property
    def _steps(self) -> int:
        assert self._model.learner is not None
        return self._model.learner.steps

    def finish(self) -> None:
        """Where workers ended with unequally many levels, all take the model of the first that has most."""
        most, size = self._model.config.max_levels, self._replicas.size
        ranked = torch.zeros(most * size, dtype=torch.float64)
        ranked[(most - len(self._model.levels)) * size + self._replicas.rank] = 1
        winner = int(self._replicas.sum_(ranked.clone()).nonzero()[0])
        self._adopt(most - winner // size, float(ranked[winner]))

    def _adopt(self, num_levels: int, weight: float) -> None:
        """Replaces all parameters by the sum over workers of `weight` times theirs."""
        self._model.settle()
        while len(self._model.levels) < num_levels:
            self._model.grow()
        with torch.no_grad():
            for level in list(self._model.levels)[:num_levels]:
                for parameter in level.parameters():
                    self._replicas.sum_(parameter.data.mul_(weight))
        self._model.parameters_changed()
