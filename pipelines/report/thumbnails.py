"""Thumbnails of many videos, made by several processes; a video that ends its process costs only itself."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from pipelines.report.film import Film, FilmJob, make_film, read_film
from pipelines.session import own_cpus
from streamer.errors import VideoError

STALLED_S = 180.0
"""Seconds without a finished video after which those in work count as hanging."""

Outcome = Film | str
"""Thumbnails, or why there are none."""


def make_films(
    jobs: Mapping[str, FilmJob], *, finished: Callable[[], None], stalled_s: float = STALLED_S
) -> dict[str, Outcome]:
    """Makes the thumbnails that are not there yet.

    Args:
        jobs: by video_id.
        finished: called for each video.
        stalled_s: how long no video may end before those in work are given up.

    Returns:
        For each video its thumbnails, or the reason in one line.
    """
    outcomes: dict[str, Outcome] = {}
    for video_id, job in jobs.items():
        film = read_film(job)
        if film is not None:
            outcomes[video_id] = film
            finished()
    todo = [video_id for video_id in jobs if video_id not in outcomes]
    lost = _in_processes(jobs, todo, own_cpus(), outcomes, finished, stalled_s)
    for video_id in lost:  # one at a time, to see whose fault it was
        if _in_processes(jobs, [video_id], 1, outcomes, finished, stalled_s):
            outcomes[video_id] = "decoding it ended or stopped the decoder"
            finished()
    return outcomes


def _in_processes(
    jobs: Mapping[str, FilmJob],
    todo: Sequence[str],
    processes: int,
    outcomes: dict[str, Outcome],
    finished: Callable[[], None],
    stalled_s: float,
) -> list[str]:
    """Works through `todo`; returns those that were not finished because processes died or hung."""
    if not todo:
        return []
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(todo)), context, initializer=_ignore_interrupts)
    futures: dict[Future[Outcome], str] = {}
    pool.submit(_ready).result()  # where no process can start, that is no video's fault
    try:
        futures = {pool.submit(_make, jobs[video_id]): video_id for video_id in todo}
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=stalled_s, return_when=FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                outcomes[futures[future]] = future.result()
                finished()
    except BrokenProcessPool:
        pass  # what is missing is returned, and tried again alone
    finally:
        _end(pool)
    return [video_id for video_id in todo if video_id not in outcomes]


def _make(job: FilmJob) -> Outcome:
    try:
        return make_film(job)
    except VideoError as error:
        return " ".join(error.detail.split())


def _ready() -> None:
    """Shows that a process works."""


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that asks; these end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(pool: ProcessPoolExecutor) -> None:
    """Ends the processes without waiting for what hangs."""
    processes = list((pool._processes or {}).values())  # no public way leads to them
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
