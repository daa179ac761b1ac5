"""Ray Data at work: workers with the model, each of which takes a seat in the library until the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import ray.data
from ray.data import ActorPoolStrategy
from ray.exceptions import RayActorError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.catalog import CatalogEntry
from pipelines.decoding import DecodingSettings
from pipelines.library import Library, LibraryReport
from pipelines.run_folder import RunFolder
from pipelines.segmenting import Feeds, SegmentingLoop, Watchers
from pipelines.session import ClusterError
from pipelines.snippets import SnippetFormat, VideoPart
from pipelines.store import HierarchyStore
from pipelines.streams import LaneStream, lane_stream
from streamer.config import Precision
from streamer.errors import StreamerError
from streamer.segmentation import StoredModel
from streamer.sources import Decoder

TELL_SECONDS = 2.0  # between two words of a worker to the library
POLL_SECONDS = 0.5
LEAVING_SECONDS = 10.0  # that workers have to leave their seats
RESTARTS = 3  # of the process that Ray Data runs in


@dataclass(frozen=True)
class SegmenterTask:
    """What every worker is told; all are told the same.

    Attributes:
        checkpoint: the model.
        device: where it computes.
        precision: numbers that it computes with; by default those that it learned with.
        timescales: lengths of events in seconds, instead of the model's.
        lanes: videos that each worker watches at the same time.
        adaptive: whether the model learns while it watches.
        decoder: which library decodes.
        decoding: how the videos of a lane are decoded.
        out: folder of the run.
        metadata: goes into every hierarchy's schema metadata.
        signals: whether signals are stored.
    """

    checkpoint: str
    device: str
    precision: Precision | None
    timescales: tuple[float, ...] | None
    lanes: int
    adaptive: bool
    decoder: Decoder
    decoding: DecodingSettings
    out: str
    metadata: Mapping[str, str]
    signals: bool


class Segmenter:
    """Ray Data's class: one per worker, started anew on another process where that of a worker died.

    Args:
        task: what to do.
        library: handle of the actor with the `Library`.
    """

    def __init__(self, task: SegmenterTask, library: Any) -> None:
        if not ray.get(library.opened.remote()):
            raise RuntimeError("too many workers have died: the library tells")
        stored = StoredModel(task.checkpoint, task.device, task.precision, task.timescales)
        self._watchers = Watchers(stored, task.lanes, learning=task.adaptive)
        self._store = HierarchyStore(RunFolder(task.out), task.metadata, signals=task.signals)
        self._task = task
        self._library = library

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Takes a seat in the library, and stays until no video is left."""
        seat, library = row["seat"], self._library
        ray.get(library.join.remote(seat))
        stopped = threading.Event()
        feeds = Feeds(len(self._watchers), lambda: ray.get(library.lease.remote(seat)), self._open_stream)
        threading.Thread(target=self._tell, args=(seat, stopped), name="tell", daemon=True).start()
        try:
            SegmentingLoop(
                self._watchers,
                feeds,
                self._store,
                lambda video, observed: ray.get(library.ended.remote(seat, video, observed)),
            ).run(stopped.is_set)
        except StreamerError as error:  # Ray would wrap it beyond recognition
            ray.get(library.give_up.remote(str(error)))
        finally:
            stopped.set()
        return row

    def _open_stream(self, entries: Sequence[CatalogEntry]) -> LaneStream:
        form = SnippetFormat.of(self._watchers.config, self._task.decoder)
        return lane_stream([VideoPart(entry) for entry in entries], form, self._task.decoding)

    def _tell(self, seat: int, stopped: threading.Event) -> None:
        """Tells the library every few seconds that this worker lives, until one of them has enough."""
        try:
            while ray.get(self._library.observed.remote(seat, self._watchers.observed)):
                if stopped.wait(TELL_SECONDS):
                    return
        finally:
            stopped.set()


@dataclass(frozen=True)
class Workers:
    """How many workers there are, and what each holds.

    Attributes:
        number: how many.
        cpus: of each, beside those of its decoders.
        gpus: of each; a fraction shares one.
    """

    number: int
    cpus: float
    gpus: float


def segment_videos(
    task: SegmenterTask,
    shelf: str,
    workers: Workers,
    *,
    receive: Callable[[LibraryReport], None],
    interrupted: threading.Event,
    stopping: Callable[[], None],
) -> bool:
    """Segments all videos of a shelf.

    Ray Data runs in a process of its own: the calling one stays free for reports and signals, and whatever is
    left of the workers ends with that process. What became of videos is asked of the library; what comes out
    of a worker that died would come twice, or not at all.

    Args:
        task: what every worker is told.
        shelf: file that `write_shelf` wrote, on this machine.
        workers: that share the videos.
        receive: called in the calling thread with what happened, about twice a second.
        interrupted: is set when the job shall end early.
        stopping: called once when it was set, before anything is waited for.

    Returns:
        Whether all videos have ended; False where the job was interrupted.

    Raises:
        ClusterError: workers die before any video ends, or the cache or the features cannot be used.
    """
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)  # without this node there is no driver either
    actor: Any = ray.remote(Library)
    library = actor.options(
        num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here
    ).remote(shelf, task.out, workers.number, task.lanes)
    job = Job(lambda: _conduct(here, task, library, workers))
    try:
        while not interrupted.wait(POLL_SECONDS):
            done = job.done(0)  # before the report is made, so that it is the last
            if _report(library, receive).finished:
                break
            if done and not job.restarted():
                raise AssertionError("all workers have left, but not all videos have ended")
        else:
            stopping()
            ray.get(library.stop.remote())
        # A worker that was lost with its node may never leave.
        job.done(LEAVING_SECONDS)
        return _report(library, receive).finished
    finally:
        job.kill()


class Job:
    """The conductor, and its next one where it died.

    Args:
        start: starts a conductor; gives its handle and what it will return.
    """

    def __init__(self, start: Callable[[], tuple[Any, Any]]) -> None:
        self._start = start
        self._restarts = 0
        self._conductor, self._running = start()

    def done(self, timeout_s: float) -> bool:
        """Whether it has ended, after so long a wait at most."""
        return bool(ray.wait([self._running], timeout=timeout_s)[0])

    def restarted(self) -> bool:
        """Starts it again if it has died; False where it has come to its end.

        Raises:
            RayError: it died too often, or what a worker raised.
        """
        try:
            ray.get(self._running)
        except RayActorError as error:
            self._restarts += 1
            if isinstance(error, RayTaskError) or self._restarts > RESTARTS:
                raise
            self._conductor, self._running = self._start()
            return True
        return False

    def kill(self) -> None:
        """Ends it, and all workers."""
        ray.kill(self._conductor)


def _conduct(
    here: NodeAffinitySchedulingStrategy, task: SegmenterTask, library: Any, workers: Workers
) -> tuple[Any, Any]:
    actor: Any = ray.remote(Conductor)
    conductor = actor.options(num_cpus=0, scheduling_strategy=here).remote()
    return conductor, conductor.run.remote(Segmenter, task, library, workers)


def _report(library: Any, receive: Callable[[LibraryReport], None]) -> LibraryReport:
    report: LibraryReport = ray.get(library.report.remote())
    receive(report)
    if report.broken is not None:
        raise ClusterError(report.broken)
    return report


class Conductor:
    """The process that Ray Data runs in; all workers end when it is killed, which they need not otherwise."""

    def run(self, segmenter: Any, task: SegmenterTask, library: Any, workers: Workers) -> None:
        """Runs the workers to the end: a row for every seat, each of which keeps a worker busy.

        Args:
            segmenter: `Segmenter`.
            task: what every worker is told.
            library: as for `Segmenter`.
            workers: how many there are.
        """
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        ray.data.DataContext.get_current().enable_progress_bars = False
        seats = [{"seat": seat} for seat in range(workers.number)]
        dataset = ray.data.from_items(seats, override_num_blocks=len(seats)).map(
            segmenter,
            fn_constructor_args=(task, library),
            # A worker that has its seat must not be sent that of one which is still starting.
            compute=ActorPoolStrategy(size=workers.number, max_tasks_in_flight_per_actor=1),
            num_cpus=workers.cpus,
            num_gpus=workers.gpus,
        )
        for _ in dataset.iter_rows():
            pass
