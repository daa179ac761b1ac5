"""What a run shows while it works: a line every few seconds, or a live display, from the workers' reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pipelines.snippets import VideoEnd
from pipelines.workload import Workload

LINE_SECONDS = 10.0
ROOM_FOR_BAR = 120  # columns; in narrower terminals the numbers need them all


class Totals:
    """Adds up what all workers reported.

    Attributes:
        snippets: observed so far, by all workers.
        events: ended so far, per level.
        num_levels: levels that exist.
        steps: optimiser steps taken.
        signals: mean signal per level since the last report; None where there was none.
        spreads: per learned level, how far apart its representations lie, for the worker where they lie
            furthest; None where that is not known.
        gates: per learned level, the share of what it has learned in its predictions of change.
        workload: how busy the workers have been since the last report; None where that is not known.

    Args:
        videos: how many videos the run has.
        snippets: how many snippets it has, as far as the containers tell.
        clock: seconds, of any origin.
    """

    def __init__(self, videos: int, snippets: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.videos = videos
        self.expected = snippets
        self.snippets = 0
        self.events: list[int] = []
        self._ends: dict[str, VideoEnd] = {}
        self.num_levels = 0
        self.steps = 0
        self.signals: list[float | None] = []
        self.spreads: list[float | None] = []
        self.gates: list[float] = []
        self.workload: Workload | None = None
        self._reports: Sequence[Mapping[str, Any]] = ()
        self._clock = clock
        self._start: tuple[float, int] | None = None
        self._rate: float | None = None

    def add(self, reports: Sequence[Mapping[str, Any]]) -> None:
        """Takes in one report of every worker, made at the same barrier."""
        self.snippets = sum(report["snippets"] for report in reports)
        self.events = [sum(counts) for counts in zip(*(report["events"] for report in reports), strict=True)]
        for report in reports:
            for end in report["ended"]:
                # After a restart workers tell again what had ended, and may end a video a second time.
                self._ends[end["video_id"]] = VideoEnd(**end)
        self.workload = Workload.between(self._reports, reports)
        self._reports = reports
        self.num_levels = max(report["num_levels"] for report in reports)
        self.steps = max(report["steps"] for report in reports)
        sums = [sum(values) for values in zip(*(report["signal_sums"] for report in reports), strict=True)]
        counts = [
            sum(values) for values in zip(*(report["signal_counts"] for report in reports), strict=True)
        ]
        self.signals = [total / n if n else None for total, n in zip(sums, counts, strict=True)]
        self.spreads = [
            max((spread for spread in level if spread is not None), default=None)
            for level in zip_longest(*(report["spreads"] for report in reports))
        ]
        self.gates = max((report["gates"] for report in reports), key=len)
        self._measure()

    @property
    def ended(self) -> list[VideoEnd]:
        """How each video ended that has ended."""
        return list(self._ends.values())

    def _measure(self) -> None:
        now = self._clock()
        if self._start is None or self.snippets < self._start[1]:  # workers began again before it
            self._start = (now, self.snippets)
        elif now > self._start[0]:
            self._rate = (self.snippets - self._start[1]) / (now - self._start[0])

    @property
    def rate(self) -> float | None:
        """Snippets per second since the first report; None before the second."""
        return self._rate

    @property
    def to_go_s(self) -> float | None:
        """Seconds left at that rate; None where there are more snippets than the containers told."""
        if not self._rate or self.snippets > self.expected:
            return None
        return (self.expected - self.snippets) / self._rate

    def metrics(self) -> dict[str, float]:
        """What the tracking store records of this moment."""
        values: dict[str, float] = {
            "videos_done": len(self._ends),
            "videos_to_go": self.videos - len(self._ends),
            "levels": self.num_levels,
            "optimizer_steps": self.steps,
        }
        if self._rate is not None:
            values["snippets_per_second"] = self._rate
        for level, count in enumerate(self.events[: self.num_levels]):
            values[f"events/level{level}"] = count
        for level, signal in enumerate(self.signals[: self.num_levels]):
            if signal is not None:
                values[f"signal/level{level}"] = signal
        for level, spread in enumerate(self.spreads):
            if spread is not None:
                values[f"spread/level{level}"] = spread
        for level, gate in enumerate(self.gates):
            values[f"gate/level{level}"] = gate
        if self.workload is not None:
            values |= self.workload.metrics()
        return values

    def facts(self) -> dict[str, Any]:
        """Totals for `run.json`."""
        return {
            "snippets": self.snippets,
            "events": self.events[: self.num_levels],
            "levels": self.num_levels,
            "optimizer_steps": self.steps,
        }

    def describe(self) -> str:
        """One line: videos done, snippets per second, events per level, where time goes, time to go."""
        parts = [f"{len(self._ends)}/{self.videos} videos", f"{self.snippets} snippets"]
        if self._rate is not None:
            parts[-1] += f" at {self._rate:.1f}/s"
        if self.events:
            counts = "/".join(str(count) for count in self.events[: self.num_levels])
            parts.append(f"events by level {counts}")
        if self.workload is not None:
            parts.append(self.workload.describe())
        to_go = self.to_go_s
        if to_go is not None:
            parts.append(f"{int(to_go) // 60}:{int(to_go) % 60:02d} to go")
        return ", ".join(parts)


class ProgressDisplay:
    """Shows totals: a live bar on a terminal, else a plain line every few seconds.

    Args:
        console: where to show them.
        label: what the run is doing.
        clock: seconds, of any origin.
    """

    def __init__(self, console: Console, label: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._label = label
        self._clock = clock
        self._last_line: float | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressDisplay:
        if self._console.is_terminal:
            bar = [BarColumn(bar_width=20)] if self._console.width >= ROOM_FOR_BAR else []
            self._bar = Progress(
                TextColumn("{task.fields[label]}"),
                *bar,
                TextColumn("{task.description}"),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=None, label=self._label)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Shows a line that stays."""
        console = self._bar.console if self._bar is not None else self._console
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    def show(self, totals: Totals) -> None:
        """Shows how far the run has come."""
        if self._bar is not None and self._task is not None:
            total = max(totals.expected, totals.snippets)
            self._bar.update(
                self._task, completed=totals.snippets, total=total, description=totals.describe()
            )
            return
        now = self._clock()
        if self._last_line is None or now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self._console.print(f"{self._label}: {totals.describe()}", soft_wrap=True, highlight=False)
