"""Processes that watch videos, one at a time each, seen from the process that deals the videos out.

A video whose worker dies is tried once more, by another worker; then it has failed.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from threading import Event
from typing import Any

from pipelines.baselines.predicting import BaselineTask, take_duration, watch_video
from pipelines.catalog import CatalogEntry
from pipelines.decoder import ATTEMPTS
from pipelines.library import EndedVideo, LibraryReport
from pipelines.snippets import VideoEnd
from streamer.errors import StreamerError

POLL_SECONDS = 0.5

Receive = Callable[[LibraryReport], None]


class WorkerFaultError(Exception):
    """A fault of this software in a worker; holds the traceback from there."""


@dataclass(frozen=True)
class Ready:
    """A worker has started."""


@dataclass(frozen=True)
class Failure:
    """What ends the run: an error of the user's, or the traceback of a fault."""

    error: StreamerError | str


Message = Ready | int | EndedVideo | Failure


def watch_videos(
    entries: Iterable[CatalogEntry],
    task: BaselineTask,
    workers: int,
    *,
    receive: Receive,
    interrupted: Event,
) -> bool:
    """Watches all videos, the longest first.

    Args:
        entries: the videos.
        task: what is to be done with each.
        workers: how many processes share them.
        receive: is told what happened, about twice a second.
        interrupted: is set when this shall end early.

    Returns:
        Whether all videos have ended; False where it was interrupted.

    Raises:
        StreamerError: something of the user's cannot be used, such as the cache.
        WorkerFaultError: this software failed.
    """
    waiting = deque(sorted(entries, key=lambda entry: (-(entry.duration_s or 0.0), entry.video_id)))
    team = [Worker(task) for _ in range(min(workers, len(waiting)))]
    attempts: Counter[str] = Counter()
    reports = Reports(receive)
    try:
        while waiting or any(worker.entry is not None for worker in team):
            if interrupted.is_set():
                return reports.close(finished=False)
            _deal(team, waiting, task)
            for worker in _with_news(team):
                entry = worker.entry
                video = worker.take_news()
                if worker.lost and entry is not None:
                    video = _after_loss(entry, worker, attempts, waiting)
                reports.add(video)
            reports.tell(sum(worker.snippets for worker in team))
        return reports.close(finished=True)
    finally:
        for worker in team:
            worker.close()


def take_durations(
    entries: Iterable[CatalogEntry], task: BaselineTask, *, receive: Receive, interrupted: Event
) -> bool:
    """Cuts videos of which only the durations are known, in this process; as `watch_videos` does."""
    store, reports = task.store(), Reports(receive)
    for entry in entries:
        if interrupted.is_set():
            return reports.close(finished=False)
        reports.add(take_duration(entry, task, store))
        reports.tell(0)
    return reports.close(finished=True)


class Reports:
    """Gathers what happened, and tells it about twice a second.

    Args:
        receive: is told.
        clock: seconds, of any origin.
    """

    def __init__(self, receive: Receive, clock: Callable[[], float] = time.monotonic) -> None:
        self._receive = receive
        self._clock = clock
        self._ended: list[EndedVideo] = []
        self._told = clock()

    def add(self, video: EndedVideo | None) -> None:
        """Takes in a video that has ended, if one has."""
        if video is not None:
            self._ended.append(video)

    def tell(self, running: int) -> None:
        """Tells what has gathered, where it is time to; `running` snippets are of videos that go on."""
        if self._clock() - self._told >= POLL_SECONDS:
            self._send(running, finished=False)

    def close(self, *, finished: bool) -> bool:
        """Tells what is left, and whether all videos have ended, which it returns."""
        self._send(0, finished=finished)
        return finished

    def _send(self, running: int, *, finished: bool) -> None:
        self._told = self._clock()
        ended, self._ended = self._ended, []
        self._receive(LibraryReport(running, ended, finished, None))


class Worker:
    """A process that watches videos, seen from the one that started it.

    Attributes:
        entry: the video that it is at; None for none.
        snippets: how many of it have been read.
        lost: whether it has died.

    Args:
        task: what it is to do with every video.
    """

    def __init__(self, task: BaselineTask) -> None:
        self.entry: CatalogEntry | None = None
        self.snippets = 0
        self.lost = False
        self._started = False
        # Spawned: this process has threads, which a fork would leave behind in the middle of anything.
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, task), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def cause(self) -> str:
        """How it died."""
        code = self._process.exitcode
        assert code is not None
        return f"signal {-code}, {_signal_name(-code)}" if code < 0 else f"exit status {code}"

    def give(self, entry: CatalogEntry) -> None:
        """Gives it a video."""
        self.entry, self.snippets = entry, 0
        with suppress(OSError):  # where it has died, its news will say so
            self.connection.send(entry)

    def take_news(self) -> EndedVideo | None:
        """Takes in what it says; returns how its video ended, if that is it.

        Raises:
            StreamerError: as for `watch_videos`.
            WorkerFaultError: this software failed there.
        """
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            self._bury()
            return None
        if isinstance(message, Failure):
            raise message.error if isinstance(message.error, Exception) else WorkerFaultError(message.error)
        if isinstance(message, EndedVideo):
            self.entry, self.snippets = None, 0
            return message
        if isinstance(message, Ready):
            self._started = True
        else:
            self.snippets = message
        return None

    def close(self) -> None:
        """Kills it; safe to call twice."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def _bury(self) -> None:
        self._process.join()
        self.lost, self.snippets = True, 0
        if not self._started:  # no video can be the cause
            raise WorkerFaultError(f"a worker did not start ({self.cause}); see what it printed")


def _deal(team: list[Worker], waiting: deque[CatalogEntry], task: BaselineTask) -> None:
    """Gives videos that wait to workers that have none; to new ones, where those have died."""
    for place, worker in enumerate(team):
        if waiting and worker.lost:
            worker.close()
            team[place] = Worker(task)
        if waiting and team[place].entry is None:
            team[place].give(waiting.popleft())


def _with_news(team: list[Worker]) -> list[Worker]:
    """Those that have something to say, after waiting a little for one of them."""
    listening = {worker.connection: worker for worker in team if not worker.lost}
    ready: list[Any] = wait(list(listening), POLL_SECONDS)
    return [listening[connection] for connection in ready]


def _after_loss(
    entry: CatalogEntry, worker: Worker, attempts: Counter[str], waiting: deque[CatalogEntry]
) -> EndedVideo | None:
    """Puts the video of a worker that died back, or gives it up."""
    worker.entry = None
    attempts[entry.video_id] += 1
    if attempts[entry.video_id] < ATTEMPTS:
        waiting.appendleft(entry)
        return None
    reason = f"its worker died ({worker.cause}), tried {ATTEMPTS} times; replace or re-encode the file"
    return EndedVideo(VideoEnd(entry.video_id, 0, 0.0, "failed", reason), [])


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else "unknown"


def serve(connection: Connection, task: BaselineTask) -> None:
    """Watches the videos that come, in a process of its own, until there are no more.

    Args:
        connection: to the process that deals the videos out.
        task: what is to be done with them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    store = task.store()
    connection.send(Ready())
    while True:
        try:
            entry: CatalogEntry = connection.recv()
        except EOFError:
            return
        try:
            connection.send(watch_video(entry, task, store, connection.send))
        except StreamerError as error:
            connection.send(Failure(error))
        except Exception:  # a fault of this software, for the process that asked to raise
            connection.send(Failure(traceback.format_exc()))


def _end_with_parent() -> None:
    """Ends this process at once when its parent has died: another run may have the folder by then."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
