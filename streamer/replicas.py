"""What replicas of one model say to each other at barriers."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Replicas(Protocol):
    """A group of processes that hold the same parameters.

    Attributes:
        size: number of replicas.
        rank: this one's place among them, from 0.
    """

    size: int
    rank: int

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replaces `tensor` by its sum over all replicas, bit-equal everywhere; every replica must call."""
        ...


class SingleReplica:
    """The group of one."""

    size = 1
    rank = 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Returns `tensor` as it is."""
        return tensor
