"""How far a run has come whose videos are dealt out one by one, over all its starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import zip_longest

from pipelines.library import EndedVideo, LibraryReport
from pipelines.progress import Totals
from pipelines.snippets import VideoEnd
from pipelines.worker_report import WorkerReport

LOG_SECONDS = 5.0  # between two entries in the tracking store


class LibraryProgress:
    """Adds up how videos ended and what runs, over all starts of a run.

    Attributes:
        ended: how videos ended, by id.

    Args:
        totals: is told.
        earlier: videos that ended in earlier starts.
        clock: seconds, of any origin.
    """

    def __init__(
        self, totals: Totals, earlier: Sequence[EndedVideo], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ended: dict[str, VideoEnd] = {}
        self._totals = totals
        self._events: list[int] = []
        self._untold: list[VideoEnd] = []
        self._clock = clock
        self._logged = clock()
        self._count(earlier)

    def take(self, report: LibraryReport) -> None:
        """Takes in what happened; nothing is told before anything did, since totals tell of a speed."""
        self._count(report.ended)
        if report.ended or report.running or self._totals.ended or report.finished:
            self._tell(report.running)

    def log_due(self) -> bool:
        """Whether it is time for an entry in the tracking store."""
        due = self._clock() - self._logged >= LOG_SECONDS
        if due:
            self._logged = self._clock()
        return due

    def _count(self, videos: Sequence[EndedVideo]) -> None:
        for video in videos:
            self.ended[video.end.video_id] = video.end
            self._untold.append(video.end)
            pairs = zip_longest(self._events, video.events, fillvalue=0)
            self._events = [before + new for before, new in pairs]

    def _tell(self, running: int) -> None:
        report = WorkerReport(
            snippets=sum(end.snippets for end in self.ended.values()) + running,
            ended=self._untold,
            events=self._events,
            num_levels=len(self._events),
        )
        self._totals.add([asdict(report)])
        self._untold = []
