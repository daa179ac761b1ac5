"""Runs each measurement in a process of its own, so that its memory is its own."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, ParamSpec, TypeVar

import torch

from streamer.errors import StreamerError

P = ParamSpec("P")
R = TypeVar("R")
MIB = 2**20
MB = 10**6


class Resident(NamedTuple):
    """Memory of this process that lies in RAM.

    Attributes:
        anonymous_mib: its own: heap, tensors.
        file_mib: pages of files that it maps, programs and `.npy` arrays; the system may drop them any time.
    """

    anonymous_mib: float
    file_mib: float


class Children:
    """Fresh processes by name, which take turns: only one of them works at a time.

    Args:
        names: of the processes.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._pools = {name: _spawned(1) for name in names}

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def call(self, name: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls a function of a module in a process and returns what it returns.

        Raises:
            StreamerError: the process was ended from outside.
        """
        try:
            return self._pools[name].submit(_leaving_nothing, function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise StreamerError(
                f"the process that measured `{name}` was ended from outside, most often because memory ran "
                "out: measure a smaller model or fewer lanes"
            ) from error


def in_child(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function of a module in a fresh process and returns what it returns."""
    return in_children(1, lambda pool: pool.submit(function, *args, **kwargs).result())


def in_children(count: int, use: Callable[[ProcessPoolExecutor], R]) -> R:
    """Lends `count` fresh processes to `use`."""
    with _spawned(count) as pool:
        return use(pool)


def peak_mib() -> float:
    """Largest resident memory of this process so far."""
    if sys.platform == "linux":
        # Not ru_maxrss: there it includes the peak of the process that started this one.
        return _status_mib("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def peak_mb() -> float:
    """The same in MB of 10**6 bytes."""
    return peak_mib() * MIB / MB


def resident() -> Resident:
    """Resident memory of this process now; Linux only."""
    return Resident(_status_mib("RssAnon", "RssShmem"), _status_mib("RssFile"))


def _leaving_nothing(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function, and frees what it has left in reference cycles: models have some, and are large."""
    try:
        return function(*args, **kwargs)
    finally:
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        # glibc keeps what is freed below its blocks in use: gigabytes, which the next process needs.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
        if trim is not None:
            trim(0)


def _spawned(count: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork shares its parent's pages and its lock states.
    return ProcessPoolExecutor(max_workers=count, mp_context=get_context("spawn"))


def _status_mib(*names: str) -> float:
    """Sum of entries of this process's status, which the kernel gives in KiB."""
    entries = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(entries[name].split()[0]) for name in names) / 1024
