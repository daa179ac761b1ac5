"""What something takes: wall time and CPU seconds of all threads, on whatever device."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from benchmarks.child import MB, peak_mb


class Cost(NamedTuple):
    """Seconds.

    Attributes:
        wall_s: by the clock.
        cpu_s: of all threads of this process.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def plus(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def minus(self, other: Cost) -> Cost:
        """This without the other."""
        return Cost(self.wall_s - other.wall_s, self.cpu_s - other.cpu_s)

    def over(self, times: float) -> Cost:
        """A part of this: one of so many."""
        return Cost(self.wall_s / times, self.cpu_s / times)


class Clock:
    """Reads time when the device has done what it was given.

    Args:
        device: where the model computes.
    """

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def read(self) -> Cost:
        """Time since some moment in the past."""
        self._wait()
        return Cost(time.perf_counter(), time.process_time())

    def since(self, start: Cost) -> Cost:
        """Time since `start` was read."""
        return self.read().minus(start)

    def peak_mb(self) -> float:
        """Largest memory so far: of the device where it has its own, else of this process."""
        self._wait()
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) / MB
        return peak_mb()

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
