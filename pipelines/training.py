"""The training loop of one worker: snippets in, hierarchies out, a barrier every few snippets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipelines.snippets import Snippet, VideoEnd
from pipelines.store import HierarchyStore
from pipelines.synchronization import Synchronization
from streamer.lane import Signal
from streamer.streamer import Streamer

REPORT_SECONDS = 2.0


@dataclass
class WorkerReport:
    """What a worker did since its last report.

    Attributes:
        snippets: snippets observed since the start of the run.
        ended: videos that ended since the last report.
        events: events per level ended since the start of the run.
        signal_sums: per level, sum of signals since the last report.
        signal_counts: per level, number of signals since the last report.
        num_levels: levels that exist.
        steps: optimiser steps taken since the start of the run.
    """

    snippets: int = 0
    ended: list[VideoEnd] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    signal_sums: list[float] = field(default_factory=list)
    signal_counts: list[int] = field(default_factory=list)
    num_levels: int = 0
    steps: int = 0


class TrainingLoop:
    """Runs one worker's stream through its model until all workers' streams have ended.

    Args:
        model: this worker's replica.
        synchronization: how it learns together with the others.
        stream: snippets and ends of this worker's videos, in order.
        store: takes finished hierarchies.
        sync_every: snippets per worker from one barrier to the next.
        report: called on every worker at the same barriers, every few seconds and at the end.
        clock: seconds, of any origin.
    """

    def __init__(
        self,
        model: Streamer,
        synchronization: Synchronization,
        stream: Iterator[Snippet | VideoEnd],
        store: HierarchyStore,
        *,
        sync_every: int,
        report: Callable[[WorkerReport], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._synchronization = synchronization
        self._stream = stream
        self._store = store
        self._sync_every = sync_every
        self._send = report
        self._clock = clock
        self._signals: list[Signal] = []
        self._report = self._fresh_report()
        self._last_report = clock()

    def run(self) -> WorkerReport:
        """Trains to the end of all streams.

        Returns:
            The last report, whose totals are those of the run.
        """
        while self._period():
            pass
        self._synchronization.finish()
        last = self._report
        self._flush()
        return last

    def _period(self) -> bool:
        """Goes from one barrier to the next; False when no worker had a snippet left."""
        observed, due = 0, []
        while observed < self._sync_every and (snippet := self._next_snippet()) is not None:
            observation = self._model.advance(snippet.data)
            observed += 1
            self._note(observation.signals)
            due = observation.due
            if observed < self._sync_every:
                self._synchronization.learn(due)
                due = []
        wants_report = self._clock() - self._last_report > REPORT_SECONDS
        active, reports = self._synchronization.barrier(
            due, observed, [float(observed > 0), float(wants_report)]
        )
        if reports > 0:
            self._flush()
        return active > 0

    def _next_snippet(self) -> Snippet | None:
        for item in self._stream:
            if isinstance(item, Snippet):
                return item
            self._end_video(item)
        return None

    def _end_video(self, end: VideoEnd) -> None:
        if end.status == "done":
            hierarchy = self._model.end_video(end.duration_s, end.video_id)
            self._store.write(hierarchy, self._signals)
            for level in range(hierarchy.num_levels):
                self._report.events[level] += 1  # the one that the end of the video closed
        self._model.lane.start_video()
        self._signals = []
        self._report.ended.append(end)

    def _note(self, signals: list[Signal]) -> None:
        if self._store.keeps_signals:
            self._signals += signals
        self._report.snippets += 1
        for signal in signals:
            self._report.signal_sums[signal.level] += signal.value
            self._report.signal_counts[signal.level] += 1
            self._report.events[signal.level] += signal.boundary

    def _fresh_report(self, last: WorkerReport | None = None) -> WorkerReport:
        most = self._model.config.max_levels
        return WorkerReport(
            snippets=last.snippets if last else 0,
            events=list(last.events) if last else [0] * most,
            signal_sums=[0.0] * most,
            signal_counts=[0] * most,
        )

    def _flush(self) -> None:
        assert self._model.learner is not None
        self._report.num_levels = len(self._model.levels)
        self._report.steps = self._model.learner.steps
        self._send(self._report)
        self._report = self._fresh_report(self._report)
        self._last_report = self._clock()
