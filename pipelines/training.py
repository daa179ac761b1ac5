"""The training loop of one worker: snippets in, hierarchies out, a barrier every few snippets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Protocol

from pipelines.position import RunningVideo, WorkerPosition
from pipelines.snippets import SnippetBlock, VideoEnd
from pipelines.store import HierarchyStore
from pipelines.synchronization import Synchronization
from pipelines.worker_report import WorkerReport
from streamer.handover import put_video
from streamer.signals import Signal
from streamer.streamer import Streamer

REPORT_SECONDS = 2.0
ASK_SECONDS = 0.5  # between two questions whether to stop


class Checkpoints(Protocol):
    """Where positions are saved, with the model."""

    def save(self, position: WorkerPosition) -> None:
        """Saves; every worker calls at the same barrier."""
        ...


class NoCheckpoints:
    """For runs that nobody will go on with."""

    def save(self, position: WorkerPosition) -> None:
        """Does nothing."""


class TrainingLoop:
    """Runs one worker's streams through its model until all workers' streams have ended.

    A base step takes one snippet of every lane. A lane whose video has ended begins its next one with the
    next base step, whatever the others do.

    Args:
        model: this worker's replica; where the run goes on, as it was at that position.
        synchronization: how it learns together with the others.
        streams: for each lane of the model, snippets and ends of its videos, in order.
        store: takes finished hierarchies.
        sync_every: base steps from one barrier to the next.
        report: called on every worker at the same barriers, every few seconds and at the end.
        clock: seconds, of any origin.
        position: where to go on; the streams begin there.
        checkpoints: where positions are saved, at barriers and at the end.
        checkpoint_every_s: seconds from one to the next; half as long where one comes after an optimiser
            step, when it is smallest.
        asked_to_stop: whether somebody wants the run to stop here; asked about twice a second.

    Attributes:
        stopped: whether the run was stopped before its end.
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
        position: WorkerPosition | None = None,
        checkpoints: Checkpoints | None = None,
        checkpoint_every_s: float = math.inf,
        asked_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        assert len(streams) == len(model.lanes), "every lane has a stream"
        self._model = model
        self._synchronization = synchronization
        self._streams = streams
        self._store = store
        self._sync_every = sync_every
        self._send = report
        self._clock = clock
        self._checkpoints = checkpoints or NoCheckpoints()
        self._checkpoint_every_s = checkpoint_every_s
        self._asked_to_stop = asked_to_stop
        self.stopped = False
        self._last_report = self._last_checkpoint = self._last_question = clock()
        position = position or WorkerPosition([[] for _ in streams])
        self._waiting = [list(videos) for videos in position.running]
        self._current: list[RunningVideo | None] = [None for _ in streams]
        self._ended = list(position.ended)
        self._report = self._fresh_report()
        self._report.snippets = position.snippets
        for level, count in enumerate(position.events):
            self._report.events[level] = count
        self._report.ended = list(position.ended)
        for lane in range(len(streams)):
            self._begin(lane)

    def run(self) -> WorkerReport:
        """Trains to the end of all streams, or until it is asked to stop.

        Returns:
            The last report, whose totals are those of the run.
        """
        while self._period():
            pass
        self._save()
        if not self.stopped:
            self._synchronization.finish()
        last = self._report
        self._flush()
        return last

    @property
    def position(self) -> WorkerPosition:
        """How far this worker has come; exact at barriers."""
        running = [
            [*([current] if current else []), *waiting]
            for current, waiting in zip(self._current, self._waiting, strict=True)
        ]
        return WorkerPosition(
            running,
            self._ended,
            self._report.snippets,
            self._report.events,
            self._synchronization.averaged_steps,
        )

    def _period(self) -> bool:
        """Goes from one barrier to the next; False when no worker had a snippet left, or all shall stop."""
        steps = observed = 0
        while steps < self._sync_every and (watching := self._supply_lanes()) > 0:
            self._note(self._model.advance())
            steps += 1
            observed += watching
            if steps < self._sync_every:
                self._synchronization.base_step_done()
        self._report.snippets += observed
        learned = self._steps
        flags = [float(flag) for flag in (observed > 0, *self._wishes())]
        active, reports, overdue, due, stops = self._synchronization.barrier(observed, flags)
        self.stopped = stops > 0 and active > 0
        if self.stopped:
            return False
        if overdue > 0 or (due > 0 and self._steps > learned):
            self._save()
        if reports > 0:
            self._flush()
        return active > 0

    def _wishes(self) -> tuple[bool, bool, bool, bool]:
        """What this worker wants of the next barrier: a report, a checkpoint, a cheap one, to stop."""
        now = self._clock()
        since = now - self._last_checkpoint
        asked = False
        if now - self._last_question >= ASK_SECONDS:
            self._last_question = now
            asked = self._asked_to_stop()
        return (
            now - self._last_report > REPORT_SECONDS,
            since >= self._checkpoint_every_s,
            2 * since >= self._checkpoint_every_s,
            asked,
        )

    def _save(self) -> None:
        self._checkpoints.save(self.position)
        self._last_checkpoint = self._clock()

    def _supply_lanes(self) -> int:
        """Gives snippets to lanes that have none left; returns how many lanes have some now."""
        for lane in range(len(self._streams)):
            if self._model.lanes[lane].waiting == 0:
                self._supply(lane)
        return sum(lane.waiting > 0 for lane in self._model.lanes)

    def _supply(self, lane: int) -> None:
        while self._model.lanes[lane].waiting == 0:
            before = self._clock()
            item = next(self._streams[lane], None)
            self._report.waited_s += self._clock() - before
            if item is None:
                return
            if isinstance(item, SnippetBlock):
                self._offer(item, lane)
            else:
                self._end_video(item, lane)

    def _offer(self, block: SnippetBlock, lane: int) -> None:
        current = self._current[lane]
        if current is None:
            current = self._current[lane] = RunningVideo(block.video_id)
        assert (current.video_id, current.next) == (block.video_id, block.index), "a video goes on elsewhere"
        self._model.offer(block.data, lane)
        current.next += len(block.data)

    def _begin(self, lane: int) -> None:
        """Goes on with the next video in the middle that was waiting for this lane, if there is one."""
        if not self._waiting[lane]:
            self._current[lane] = None
            return
        video = self._current[lane] = self._waiting[lane].pop(0)
        if video.state is None:
            return
        put_video(self._model, lane, video.state)
        video.state = None
        if self._steps != video.steps:
            self._model.lane_outdated(lane)

    def _end_video(self, end: VideoEnd, lane: int) -> None:
        current = self._current[lane]
        if end.status == "done":
            assert current is not None, "a video that is done has snippets"
            hierarchy = self._model.end_video(end.duration_s, end.video_id, lane)
            self._store.write(hierarchy, current.signals, end.reason)
            for level, events in enumerate(hierarchy.levels):
                learned = level < self._model.config.learned_levels
                # Of a learned level the one that the end of the video closed; the others gave signals.
                self._report.events[level] += 1 if learned else len(events)
        else:
            self._store.discard(end.video_id)
            self._model.start_video(lane)
        self._report.ended.append(end)
        self._ended.append(end)
        self._begin(lane)

    def _note(self, observed: Sequence[Sequence[Signal]]) -> None:
        """Takes in the signals of one base step, per lane."""
        if self._store.keeps_signals:
            for current, new in zip(self._current, observed, strict=True):
                if new:
                    assert current is not None, "a lane that observes watches a video"
                    current.signals += new
        for signal in chain.from_iterable(observed):
            self._report.signal_sums[signal.level] += signal.value
            self._report.signal_counts[signal.level] += 1
            self._report.events[signal.level] += signal.boundary

    @property
    def _steps(self) -> int:
        assert self._model.learner is not None
        return self._model.learner.steps

    def _fresh_report(self, last: WorkerReport | None = None) -> WorkerReport:
        most = self._model.config.max_levels
        return WorkerReport(
            snippets=last.snippets if last else 0,
            events=list(last.events) if last else [0] * most,
            signal_sums=[0.0] * most,
            signal_counts=[0] * most,
        )

    def _flush(self) -> None:
        now = self._clock()
        self._report.num_levels = max(len(self._model.levels), sum(map(bool, self._report.events)))
        self._report.steps = self._steps
        self._report.spreads = self._model.spreads
        self._report.gates = self._model.gates
        self._report.seconds = now - self._last_report
        self._send(self._report)
        self._report = self._fresh_report(self._report)
        self._last_report = now
