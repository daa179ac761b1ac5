"""Tables of vectors, frames and activations by row number.

All that modules hand each other lies here, so that what happens at one snippet can be computed again, for
many snippets at once, by naming rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

FIRST_CAPACITY = 64


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host, sent to the device without waiting for it."""
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def to_index(rows: Sequence[int], device: torch.device) -> Tensor:
    """Row numbers as an index tensor on the device."""
    return to_device(torch.tensor(rows, dtype=torch.int64), device)


class RowTable:
    """Several tensors under one row number, taken and released by the row.

    Tables begin small and grow when more rows are in use than ever before; the lowest free rows are taken
    first, so that memory stays dense.

    Args:
        device: where the tensors live.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.used: set[int] = set()
        self._free: list[int] = []
        self._columns: list[Tensor] = []
        self._capacity = 0

    def __len__(self) -> int:
        return len(self.used)

    def take(self, count: int) -> list[int]:
        """Reserves rows, whose values are undefined."""
        while len(self._free) < count:
            self._grow()
        rows = [heapq.heappop(self._free) for _ in range(count)]
        self.used.update(rows)
        return rows

    def reserve(self, rows: Sequence[int]) -> None:
        """Takes exactly these rows, of a table of which none are in use."""
        assert not self.used, "rows are in use"
        while self._capacity <= max(rows, default=-1):
            self._grow()
        self.used = set(rows)
        self._free = [row for row in range(self._capacity) if row not in self.used]  # sorted: a heap

    def release(self, rows: Iterable[int]) -> None:
        """Gives rows back."""
        for row in rows:
            self.used.remove(row)
            heapq.heappush(self._free, row)

    def write(self, rows: Sequence[int], values: Sequence[Tensor]) -> None:
        """Sets rows of every column; the first write determines the columns' shapes and types.

        Args:
            rows: row numbers, each once.
            values: per column, `[len(rows), ...]`.
        """
        if not self._columns:
            self._columns = [self._column(value) for value in values]
        index = to_index(rows, self.device)
        for column, value in zip(self._columns, values, strict=True):
            column.index_copy_(0, index, value)

    def add(self, rows: Sequence[int], values: Tensor, column: int) -> None:
        """Adds to rows of a column, which may occur more than once."""
        self._columns[column].index_add_(0, to_index(rows, self.device), values)

    def read(self, rows: Sequence[int], column: int = 0) -> Tensor:
        """Rows of a column, in the order that is asked for, `[len(rows), ...]`."""
        return self._columns[column].index_select(0, to_index(rows, self.device))

    def columns(self, rows: Sequence[int]) -> list[Tensor]:
        """Rows of all columns; none if nothing was ever written."""
        index = to_index(rows, self.device)
        return [column.index_select(0, index) for column in self._columns]

    def _column(self, like: Tensor) -> Tensor:
        # Not zeroed: the system commits memory when a row is first written.
        return torch.empty((self._capacity, *like.shape[1:]), dtype=like.dtype, device=self.device)

    def _grow(self) -> None:
        old, self._capacity = self._capacity, max(FIRST_CAPACITY, self._capacity * 3 // 2)
        for place, column in enumerate(self._columns):
            self._columns[place] = self._column(column)
            self._columns[place][:old] = column
        for row in range(old, self._capacity):
            heapq.heappush(self._free, row)
