"""How busy the workers of a training are: what an operator looks at to see where time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerLoad:
    """One worker between two reports.

    Attributes:
        rate: snippets per second.
        waiting_share: share of the time that it waited for snippets.
        barrier_share: share of the time that it spent on meeting the others.
    """

    rate: float
    waiting_share: float
    barrier_share: float


@dataclass(frozen=True)
class Workload:
    """All workers between two reports.

    Attributes:
        workers: in order of rank.
        bytes_ahead: decoded snippets that wait to be observed, over all workers.
    """

    workers: tuple[WorkerLoad, ...]
    bytes_ahead: int

    @staticmethod
    def between(before: Sequence[Mapping[str, Any]], reports: Sequence[Mapping[str, Any]]) -> Workload | None:
        """The load between two reports of every worker.

        Args:
            before: `WorkerReport` of every worker as a mapping.
            reports: the next ones.

        Returns:
            None where there is nothing to compare: workers were started anew, or no time has passed.
        """
        if len(before) != len(reports):
            return None
        gained = [new["snippets"] - old["snippets"] for old, new in zip(before, reports, strict=True)]
        if min(gained) < 0 or any(report["seconds"] <= 0 for report in reports):
            return None
        loads = tuple(
            WorkerLoad(
                count / report["seconds"],
                report["waited_s"] / report["seconds"],
                report["barrier_s"] / report["seconds"],
            )
            for count, report in zip(gained, reports, strict=True)
        )
        return Workload(loads, sum(report["bytes_ahead"] for report in reports))

    @property
    def waiting_share(self) -> float:
        """Mean over workers."""
        return sum(load.waiting_share for load in self.workers) / len(self.workers)

    @property
    def barrier_share(self) -> float:
        """Mean over workers."""
        return sum(load.barrier_share for load in self.workers) / len(self.workers)

    @property
    def skew(self) -> float:
        """By what share the slowest worker is slower than the fastest; 0 where none has done anything."""
        rates = [load.rate for load in self.workers]
        return 1 - min(rates) / max(rates) if max(rates) > 0 else 0.0

    def metrics(self) -> dict[str, float]:
        """What the tracking store records."""
        values = {
            "waiting_share": self.waiting_share,
            "barrier_share": self.barrier_share,
            "skew": self.skew,
            "bytes_ahead": float(self.bytes_ahead),
        }
        for rank, load in enumerate(self.workers):
            values[f"worker{rank}/snippets_per_second"] = load.rate
            values[f"worker{rank}/waiting_share"] = load.waiting_share
            values[f"worker{rank}/barrier_share"] = load.barrier_share
        return values

    def describe(self) -> str:
        """A few words for a line of progress."""
        parts = [f"waiting for snippets {self.waiting_share:.0%}"]
        if len(self.workers) > 1:
            rates = [load.rate for load in self.workers]
            parts += [
                f"at barriers {self.barrier_share:.0%}",
                f"workers {min(rates):.1f} to {max(rates):.1f}/s",
            ]
        parts.append(f"{self.bytes_ahead / 2**20:.1f} MB ahead")
        return ", ".join(parts)
