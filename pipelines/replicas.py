"""Replicas of one model in the processes of a `torch.distributed` group."""

from __future__ import annotations

import zlib

import torch
import torch.distributed as dist
from torch import Tensor

from streamer.levels import Levels


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
        """Replaces `tensor` by its sum over all processes; every process must call."""
        if tensor.device == self._device:
            dist.all_reduce(tensor)
            return tensor
        moved = tensor.to(self._device)
        dist.all_reduce(moved)
        return tensor.copy_(moved)


def checksum(levels: Levels) -> int:
    """CRC-32 of all parameters: equal for replicas that are bit-equal."""
    value = 0
    for parameter in levels.parameters():
        value = zlib.crc32(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes(), value)
    return value
