"""The stack of levels that exist.

The parameters of a new level follow from the seed and the level's index alone, so that replicas that grow
apart from each other grow the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from streamer.arithmetic import Arithmetic
from streamer.config import Precision, StreamerConfig
from streamer.modules import BoundedTable, Level
from streamer.replicas import Replicas

Initializer = Callable[[Level, int], None]


class Levels(nn.Module):
    """Levels 0 (frames) to `len(self) - 1`.

    Args:
        config: the model's configuration.
        seed: determines the initial parameters of every level, whenever it is created.
        device: where parameters live.
        precision: floating-point types of parameters and products.
        initialize: called with each new level and its index, to set other initial parameters.
    """

    def __init__(
        self,
        config: StreamerConfig,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
        precision: Precision = "float32",
        initialize: Initializer | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.seed = int(seed)
        self.device = torch.device(device)
        self.arithmetic = Arithmetic(precision)
        self._initialize = initialize
        self.stack = nn.ModuleList()
        for _ in range(config.initial_levels):
            self.grow()

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, index: int) -> Level:
        level = self.stack[index]
        assert isinstance(level, Level)
        return level

    def __iter__(self) -> Iterator[Level]:
        return (self[index] for index in range(len(self)))

    @property
    def tables(self) -> list[BoundedTable]:
        """All tables of all levels."""
        return [module for module in self.modules() if isinstance(module, BoundedTable)]

    def meet(self, replicas: Replicas) -> None:
        """Makes parameters bit-equal in all replicas: bounds every row that any replica looked up."""
        tables = self.tables
        rows = max(len(table.weight) for table in tables)
        looked_up = torch.zeros(len(tables), rows, dtype=torch.float64)
        for place, table in enumerate(tables):
            looked_up[place, : table.bounded] = 1
        counts = (replicas.sum_(looked_up) > 0).sum(dim=1).tolist()
        for table, count in zip(tables, counts, strict=True):
            table.bound(count)

    def parameters_changed(self) -> None:
        """Drops what was derived from parameters; rows of tables may have grown again."""
        self.arithmetic.parameters_changed()
        for table in self.tables:
            table.bounded = 0

    def grow(self) -> Level:
        """Creates the level above the highest."""
        index = len(self)
        assert index < self.config.learned_levels, "the stack is full"
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed * 1009 + index)
            level = Level(self.config, index, self.arithmetic)
        if self._initialize is not None:
            self._initialize(level, index)
        self.stack.append(level.to(device=self.device, dtype=self.arithmetic.state))
        return self[index]
