"""Runs each measurement in a process of its own, so that its memory is its own."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
MIB = 2**20


class Resident(NamedTuple):
    """Memory of this process that lies in RAM.

    Attributes:
        anonymous_mib: its own: heap, tensors.
        file_mib: pages of files that it maps, programs and `.npy` arrays; the system may drop them any time.
    """

    anonymous_mib: float
    file_mib: float


def in_child(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function of a module in a fresh process and returns what it returns."""
    return in_children(1, lambda pool: pool.submit(function, *args, **kwargs).result())


def in_children(count: int, use: Callable[[ProcessPoolExecutor], R]) -> R:
    """Lends `count` fresh processes to `use`."""
    # Spawned, not forked: a fork shares its parent's pages and its lock states.
    with ProcessPoolExecutor(max_workers=count, mp_context=get_context("spawn")) as pool:
        return use(pool)


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    if sys.platform == "linux":
        # Not ru_maxrss: there it includes the peak of the process that started this one.
        return _status_mib("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def resident() -> Resident:
    """Resident memory of this process now; Linux only."""
    return Resident(_status_mib("RssAnon", "RssShmem"), _status_mib("RssFile"))


def _status_mib(*names: str) -> float:
    """Sum of entries of this process's status, which the kernel gives in KiB."""
    entries = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(entries[name].split()[0]) for name in names) / 1024
