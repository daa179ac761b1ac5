"""Replicas of one model in the processes of a `torch.distributed` group."""

from __future__ import annotations

import time
import zlib

import torch
import torch.distributed as dist
from torch import Tensor

from streamer.levels import Levels
from streamer.replicas import Replicas


class ReplicaLostError(Exception):
    """Another process of the group is gone, or cannot be reached."""


class DistributedReplicas:
    """One replica per process of the default group.

    Attributes:
        size: number of processes.
        rank: this process.

    Args:
        device: where tensors must lie for the group's backend.
    """

    def __init__(self, device: torch.device) -> None:
        self.size = dist.get_world_size()
        self.rank = dist.get_rank()
        self._device = device

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replaces `tensor` by its sum over all processes; every process must call.

        Raises:
            ReplicaLostError: another process did not.
        """
        moved = tensor.to(self._device)
        try:
            dist.all_reduce(moved)
        except RuntimeError as error:  # the base of all that backends raise
            raise ReplicaLostError(str(error)) from error
        return tensor if moved is tensor else tensor.copy_(moved)


class TimedReplicas:
    """Replicas, and how long this one has spent on meeting the others.

    Attributes:
        size: number of replicas.
        rank: this one.
        seconds: spent so far.
    """

    def __init__(self, replicas: Replicas) -> None:
        self.size = replicas.size
        self.rank = replicas.rank
        self.seconds = 0.0
        self._replicas = replicas

    def sum_(self, tensor: Tensor) -> Tensor:
        """As that of the replicas; with a GPU the time is that of starting it."""
        before = time.monotonic()
        total = self._replicas.sum_(tensor)
        self.seconds += time.monotonic() - before
        return total


def checksum(levels: Levels) -> int:
    """CRC-32 of all parameters: equal for replicas that are bit-equal."""
    value = 0
    for parameter in levels.parameters():
        value = zlib.crc32(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes(), value)
    return value
