"""What an operator sees of a worker: in its reports, and as Ray's metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import ray.train
from ray.util.metrics import Counter, Gauge

from pipelines.replicas import TimedReplicas
from pipelines.streams import LaneStream
from pipelines.worker_report import WorkerReport

TAGS = ("rank",)


class WorkerMeters:
    """Completes a worker's reports, sends them to Ray Train and shows them to Ray's metrics.

    Args:
        replicas: the workers.
        streams: this worker's.
    """

    def __init__(self, replicas: TimedReplicas, streams: Sequence[LaneStream]) -> None:
        self._replicas = replicas
        self._streams = streams
        self._met_s = 0.0
        self._snippets: int | None = None
        self._tags = {"rank": str(replicas.rank)}
        self._observed = Counter("streamer_snippets", "Snippets observed.", TAGS)
        self._ended = Counter("streamer_videos_ended", "Videos that ended, whichever way.", TAGS)
        self._waiting = Gauge("streamer_waiting_share", "Share of time spent waiting for snippets.", TAGS)
        self._meeting = Gauge("streamer_barrier_share", "Share of time spent on meeting workers.", TAGS)
        self._bytes = Gauge("streamer_bytes_ahead", "Bytes of decoded snippets that wait.", TAGS)
        self._steps = Gauge("streamer_optimizer_steps", "Optimiser steps taken.", TAGS)

    def report(self, report: WorkerReport) -> None:
        """Sends one report; every worker calls, at the same barrier."""
        met_s = self._replicas.seconds
        report.barrier_s, self._met_s = met_s - self._met_s, met_s
        report.bytes_ahead = sum(stream.bytes_ahead for stream in self._streams)
        self._show(report)
        ray.train.report(asdict(report))

    def _show(self, report: WorkerReport) -> None:
        if self._snippets is not None:  # before, there is what an earlier process has shown
            if new := report.snippets - self._snippets:
                self._observed.inc(new, self._tags)
            if report.ended:
                self._ended.inc(len(report.ended), self._tags)
        self._snippets = report.snippets
        if report.seconds > 0:
            self._waiting.set(report.waited_s / report.seconds, self._tags)
            self._meeting.set(report.barrier_s / report.seconds, self._tags)
        self._bytes.set(report.bytes_ahead, self._tags)
        self._steps.set(report.steps, self._tags)
