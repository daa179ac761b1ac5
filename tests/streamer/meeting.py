"""Replicas of a model in the threads of one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
TIMEOUT_S = 60  # far above what any run needs, so that only a replica that never comes exceeds it


class Meeting:
    """Where the replicas of one model add up their tensors."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=TIMEOUT_S)
        self.slots: list[Tensor] = [torch.zeros(0)] * size

    def members(self) -> list[Member]:
        """The replicas' sides of it, in order of rank."""
        return [Member(self, rank) for rank in range(self.size)]

    def run(self, parts: Sequence[Callable[[], T]]) -> list[T]:
        """Runs every replica's part in a thread of its own; where one fails, the others stop waiting."""

        def run(part: Callable[[], T]) -> T:
            try:
                return part()
            except BaseException:
                self.barrier.abort()
                raise

        with ThreadPoolExecutor(self.size) as pool:
            futures = [pool.submit(run, part) for part in parts]
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, threading.BrokenBarrierError):
                raise error  # the cause; the others only say that they were left alone
        return [future.result() for future in futures]


class Member:
    """One replica's side of a meeting."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self.meeting, self.rank, self.size = meeting, rank, meeting.size

    def sum_(self, tensor: Tensor) -> Tensor:
        """Sums in the order of ranks, so that all replicas get the same bits."""
        self.meeting.slots[self.rank] = tensor.clone()
        self.meeting.barrier.wait()
        total = sum(self.meeting.slots[1:], start=self.meeting.slots[0])
        self.meeting.barrier.wait()
        return tensor.copy_(total)
