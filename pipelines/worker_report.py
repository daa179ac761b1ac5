"""What workers tell the command while they work."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.snippets import VideoEnd


@dataclass
class WorkerReport:
    """What a worker did since its last report.

    Attributes:
        snippets: snippets observed since the start of the run.
        ended: videos that ended since the last report; at first those that ended before a restart.
        events: events per level ended since the start of the run.
        signal_sums: per level, sum of signals since the last report.
        signal_counts: per level, number of signals since the last report.
        num_levels: levels that exist, merged ones included once a video has some.
        steps: optimiser steps taken since the start of the run.
        spreads: per learned level, how far apart its representations lie, 0 to 1; None where none passed.
        gates: per learned level, the share of what it has learned in its predictions of change; empty for
            models that predict something else.
        seconds: since the last report.
        waited_s: of these, spent on waiting for snippets.
        barrier_s: of these, spent on meeting the other workers.
        bytes_ahead: decoded snippets that wait to be observed.
    """

    snippets: int = 0
    ended: list[VideoEnd] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    signal_sums: list[float] = field(default_factory=list)
    signal_counts: list[int] = field(default_factory=list)
    num_levels: int = 0
    steps: int = 0
    spreads: list[float | None] = field(default_factory=list)
    gates: list[float] = field(default_factory=list)
    seconds: float = 0.0
    waited_s: float = 0.0
    barrier_s: float = 0.0
    bytes_ahead: int = 0
