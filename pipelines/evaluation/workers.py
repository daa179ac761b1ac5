"""Scores many videos at once, in processes of their own where that is worth it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from pipelines.evaluation.scores import Score
from pipelines.evaluation.scoring import Protocol, score_video
from streamer.hierarchy import Hierarchy
from streamer.metrics import LabelledSegment

WORTH_A_PROCESS_S = 3600.0
"""Seconds of video for which a further process is started: scoring them takes longer than starting it."""


@dataclass(frozen=True)
class VideoJob:
    """A video to be scored.

    Attributes:
        video_id: the video.
        hierarchy: file of its events.
        truth_levels: per level of annotation its events in seconds.
        duration_s: its length as the run tells it, by which work is dealt out.
        fps: frames per second, on which the MoF is counted.
    """

    video_id: str
    hierarchy: Path
    truth_levels: Mapping[str, Sequence[LabelledSegment]]
    duration_s: float
    fps: float


def score_jobs(jobs: Sequence[VideoJob], protocol: Protocol, console: Console) -> list[Score]:
    """Scores videos, with a bar that shows how far it is.

    Returns:
        The scores in the order of the jobs, the same however many processes make them.

    Raises:
        HierarchyError: a hierarchy is damaged.
    """
    results: dict[int, list[Score]] = {}
    done = track(
        _results(jobs, protocol),
        "scoring",
        total=len(jobs),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for place, scores in done:
        results[place] = scores
    return [score for place in range(len(jobs)) for score in results[place]]


def num_workers(jobs: Sequence[VideoJob]) -> int:
    """How many processes score these videos; with 1 this one does."""
    worth = int(sum(job.duration_s for job in jobs) / WORTH_A_PROCESS_S)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(worth, cpus, len(jobs)))


def _results(jobs: Sequence[VideoJob], protocol: Protocol) -> Iterator[tuple[int, list[Score]]]:
    """Yields the place of each job and its scores, as they are done."""
    workers = num_workers(jobs)
    if workers == 1:
        for place, job in enumerate(jobs):
            yield place, _score(job, protocol)
        return
    # Forking a process that has threads (torch, Ray) can hang; a fresh interpreter cannot.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        longest_first = sorted(range(len(jobs)), key=lambda place: -jobs[place].duration_s)
        places = {pool.submit(_score, jobs[place], protocol): place for place in longest_first}
        for future in as_completed(places):
            yield places[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Prepares a process of the pool."""
    threadpool_limits(1)  # there is a process per CPU
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends its processes
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """The pool's processes would wait for work forever when the command is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _score(job: VideoJob, protocol: Protocol) -> list[Score]:
    hierarchy = Hierarchy.from_parquet(job.hierarchy)
    return score_video(
        job.video_id,
        [hierarchy.segments(level) for level in range(hierarchy.num_levels)],
        job.truth_levels,
        duration=hierarchy.duration_s,
        fps=job.fps,
        protocol=protocol,
    )
