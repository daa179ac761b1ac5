"""The training loop of one worker: snippets in, hierarchies out, a barrier every few snippets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from pipelines.snippets import SnippetBlock, VideoEnd
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
    """Runs one worker's streams through its model until all workers' streams have ended.

    A base step takes one snippet of every lane. A lane whose video has ended begins its next one with the
    next base step, whatever the others do.

    Args:
        model: this worker's replica.
        synchronization: how it learns together with the others.
        streams: for each lane of the model, snippets and ends of its videos, in order.
        store: takes finished hierarchies.
        sync_every: base steps from one barrier to the next.
        report: called on every worker at the same barriers, every few seconds and at the end.
        clock: seconds, of any origin.
    """

    def __init__(
        self,
        model: Streamer,
        synchronization: Synchronization,
        streams: Sequence[Iterator[SnippetBlock | VideoEnd]],
        store: HierarchyStore,
        *,
        sync_every: int,
        report: Callable[[WorkerReport], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        assert len(streams) == len(model.lanes), "every lane has a stream"
        self._model = model
        self._synchronization = synchronization
        self._streams = streams
        self._store = store
        self._sync_every = sync_every
        self._send = report
        self._clock = clock
        self._signals: list[list[Signal]] = [[] for _ in streams]
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
        steps = observed = 0
        while steps < self._sync_every and (watching := self._supply_lanes()) > 0:
            self._note(self._model.advance())
            steps += 1
            observed += watching
            if steps < self._sync_every:
                self._synchronization.base_step_done()
        self._report.snippets += observed
        wants_report = self._clock() - self._last_report > REPORT_SECONDS
        active, reports = self._synchronization.barrier(observed, [float(observed > 0), float(wants_report)])
        if reports > 0:
            self._flush()
        return active > 0

    def _supply_lanes(self) -> int:
        """Gives snippets to lanes that have none left; returns how many lanes have some now."""
        for lane in range(len(self._streams)):
            if self._model.lanes[lane].waiting == 0:
                self._supply(lane)
        return sum(lane.waiting > 0 for lane in self._model.lanes)

    def _supply(self, lane: int) -> None:
        for item in self._streams[lane]:
            if isinstance(item, SnippetBlock):
                self._model.offer(item.data, lane)
                return
            self._end_video(item, lane)

    def _end_video(self, end: VideoEnd, lane: int) -> None:
        if end.status == "done":
            hierarchy = self._model.end_video(end.duration_s, end.video_id, lane)
            self._store.write(hierarchy, self._signals[lane])
            for level in range(hierarchy.num_levels):
                self._report.events[level] += 1  # the one that the end of the video closed
        else:
            self._model.start_video(lane)
        self._signals[lane] = []
        self._report.ended.append(end)

    def _note(self, observed: Sequence[Sequence[Signal]]) -> None:
        """Takes in the signals of one base step, per lane."""
        if self._store.keeps_signals:
            for kept, new in zip(self._signals, observed, strict=True):
                kept += new
        for signal in chain.from_iterable(observed):
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
