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

import numpy as np
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits

from pipelines.evaluation.representations import LabelledEvents, labelled_events
from pipelines.evaluation.scores import Score
from pipelines.evaluation.scoring import Prediction, Protocol, score_video
from pipelines.session import own_cpus
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


@dataclass(frozen=True, eq=False)
class ScoredVideo:
    """What was found of a video.

    Attributes:
        scores: its scores.
        events: its events that have a label and a representation.
    """

    scores: list[Score]
    events: list[LabelledEvents]


def score_jobs(jobs: Sequence[VideoJob], protocol: Protocol, console: Console) -> list[ScoredVideo]:
    """Scores videos, with a bar that shows how far it is.

    Returns:
        What was found of each, the same however many processes work on them.

    Raises:
        HierarchyError: a hierarchy is damaged.
    """
    results = dict(
        track(
            _results(jobs, protocol),
            "scoring",
            total=len(jobs),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )
    return [results[place] for place in range(len(jobs))]


def num_workers(jobs: Sequence[VideoJob]) -> int:
    """How many processes score these videos; with 1 this one does."""
    worth = int(sum(job.duration_s for job in jobs) / WORTH_A_PROCESS_S)
    return max(1, min(worth, own_cpus(), len(jobs)))


def _results(jobs: Sequence[VideoJob], protocol: Protocol) -> Iterator[tuple[int, ScoredVideo]]:
    """Yields the place of each job and what came of it, as they are done."""
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


def _score(job: VideoJob, protocol: Protocol) -> ScoredVideo:
    hierarchy = Hierarchy.from_parquet(job.hierarchy)
    levels = [hierarchy.segments(level) for level in range(hierarchy.num_levels)]
    vectors = _representations(hierarchy)
    prediction = Prediction(job.video_id, levels, hierarchy.duration_s, job.fps, vectors)
    labelled = {name: events for name, events in job.truth_levels.items() if name in protocol.labelled}
    return ScoredVideo(
        scores=score_video(prediction, job.truth_levels, protocol),
        events=[
            events
            for name, truth in labelled.items()
            if vectors is not None
            for events in labelled_events(job.video_id, name, levels, vectors, truth, protocol.background)
        ],
    )


def _representations(hierarchy: Hierarchy) -> list[np.ndarray] | None:
    """Per level vectors [n, D], a row of NaN where an event has none; None where no event has one."""
    vectors = [[event.representation for event in level] for level in hierarchy.levels]
    if all(vector is None for level in vectors for vector in level):
        return None
    unknown = np.full(hierarchy.dim or 0, np.nan, dtype=np.float32)
    return [np.array([unknown if vector is None else vector for vector in level]) for level in vectors]
