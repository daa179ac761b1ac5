"""Ray Train at work: starts the workers, starts them again when one is lost, and hands on their reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

import ray
import ray.train
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.train import Checkpoint, FailureConfig, LoggingConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.torch import TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.checkpoints import latest
from pipelines.replicas import ReplicaLostError
from pipelines.run_folder import RunFolder, RunFolderError
from pipelines.session import ClusterError
from pipelines.wording import counted
from pipelines.worker import WorkerTask, train_worker
from streamer.errors import StreamerError

POLL_SECONDS = 0.5
START_SECONDS = 60.0
LOSSES = 3  # of workers in a row without a new checkpoint, after which the run ends

Reports = list[dict[str, Any]]


@ray.remote(num_cpus=0)
class ReportBoard:
    """Holds workers' reports until the driver takes them, and the driver's wish to stop."""

    def __init__(self) -> None:
        self._reports: list[Reports] = []
        self._stops = False

    def add(self, reports: Reports) -> None:
        """Takes in one report of every worker."""
        self._reports.append(reports)

    def take(self) -> list[Reports]:
        """Hands out what came since the last call."""
        taken, self._reports = self._reports, []
        return taken

    def stop(self) -> None:
        """Asks the workers to stop at the next barrier."""
        self._stops = True

    def stops(self) -> bool:
        """Whether they shall."""
        return self._stops


class ReportForwarder(UserCallback):
    """Passes reports on from Ray Train's controller to the board."""

    def __init__(self, board: Any) -> None:
        self._board = board

    def after_report(
        self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Checkpoint | None
    ) -> None:
        """Called by Ray Train when every worker has made a report."""
        ray.get(self._board.add.remote(metrics))


def fit_workers(
    task: WorkerTask,
    workers: int,
    *,
    use_gpu: bool,
    folder: RunFolder,
    receive: Callable[[Reports], None],
    tell: Callable[[str], None],
    interrupted: Event,
    stopping: Callable[[], None],
) -> dict[str, Any]:
    """Trains to the end of all videos; where workers are lost, from the last checkpoint on.

    Ray Train runs in a thread of its own, so that the calling thread stays free for reports and signals.

    Args:
        task: what every worker is told.
        workers: how many there are.
        use_gpu: whether each holds a GPU.
        folder: the run; checkpoints go there.
        receive: called in the calling thread with one report of every worker, in order of time.
        tell: takes a line about what happened to the workers.
        interrupted: is set when the run shall stop; the workers save where they are and end.
        stopping: called once when it was set, before anything is waited for.

    Returns:
        What the worker of rank 0 returned.

    Raises:
        StreamerError: the run cannot go on: workers are lost again and again, a disk is full, ...
    """
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)  # other nodes may go
    options: Any = ReportBoard.options(scheduling_strategy=here)  # its class has attributes that Ray adds
    board = options.remote()
    losses, before = 0, latest(folder.checkpoints)
    while True:
        fitted: Future[dict[str, Any]] = Future()
        trainer = _trainer(task, workers, use_gpu, folder, board)
        Thread(target=_fit, args=(trainer, fitted), name="ray-train", daemon=True).start()
        watch = StartWatch(workers, tell)
        _follow(fitted, board, watch.seeing(receive), watch, interrupted, stopping)
        error = fitted.exception()
        if error is None:
            return fitted.result()
        reason = _loss(error)
        if interrupted.is_set():  # lost on the way out; the last checkpoint is where the run stopped
            return {"stopped": True, "checksums": []}
        now = latest(folder.checkpoints)
        losses = losses + 1 if now == before else 1
        before = now
        if losses > LOSSES:
            raise ClusterError(
                f"workers were lost {losses} times without a checkpoint in between ({reason}): look for what "
                "ends them (memory?), then give the same command again"
            ) from error
        where = "the last checkpoint" if now else "the start"
        tell(f"a worker was lost ({reason}); going on from {where}")


def _follow(
    fitted: Future[dict[str, Any]],
    board: Any,
    receive: Callable[[Reports], None],
    watch: StartWatch,
    interrupted: Event,
    stopping: Callable[[], None],
) -> None:
    """Hands on reports until the workers have ended."""
    asked = False
    done = False
    while not done:
        if interrupted.is_set() and not asked:
            asked = True
            stopping()
            board.stop.remote()
        done = _wait(fitted, interrupted, asked)  # before reports are taken, so that the last are not missed
        for reports in ray.get(board.take.remote()):
            receive(reports)
        watch.look()


class StartWatch:
    """Tells when workers do not start, which Ray waits for without a word.

    Args:
        workers: how many are to start.
        tell: takes a line.
    """

    def __init__(self, workers: int, tell: Callable[[str], None]) -> None:
        self._workers = workers
        self._tell = tell
        self._next = time.monotonic() + START_SECONDS
        self._started = False

    def seeing(self, receive: Callable[[Reports], None]) -> Callable[[Reports], None]:
        """Takes note of the first report."""

        def see(reports: Reports) -> None:
            self._started = True
            receive(reports)

        return see

    def look(self) -> None:
        """Tells once in a while what the cluster has, until the workers have started."""
        if self._started or time.monotonic() < self._next:
            return
        self._next += START_SECONDS
        there = ray.cluster_resources()
        self._tell(
            f"waiting for {counted(self._workers, 'worker')} to start; the cluster has "
            f"{there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs"
        )


def _wait(fitted: Future[dict[str, Any]], interrupted: Event, asked: bool) -> bool:
    """Waits a moment, less long when the wish to stop comes; returns whether the workers have ended."""
    if asked:
        ended = Event()
        fitted.add_done_callback(lambda _: ended.set())
        ended.wait(POLL_SECONDS)
    else:
        interrupted.wait(POLL_SECONDS)
    return fitted.done()


def _trainer(task: WorkerTask, workers: int, use_gpu: bool, folder: RunFolder, board: Any) -> TorchTrainer:
    callbacks: list[UserCallback] = [ReportForwarder(board)]
    return TorchTrainer(
        train_worker,
        train_loop_config={"task": task, "board": board},
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=use_gpu, resources_per_worker=_resources(use_gpu)
        ),
        run_config=RunConfig(
            name=folder.checkpoints.name,
            storage_path=str(folder.root),
            callbacks=callbacks,
            # Restarts are ours: Ray Train counts all of a run, however many checkpoints lie between them.
            failure_config=FailureConfig(max_failures=0),
            logging_config=LoggingConfig(log_level="ERROR"),
        ),
    )


def _resources(use_gpu: bool) -> dict[str, float]:
    return {"CPU": 1, "GPU": 1} if use_gpu else {"CPU": 1}


def _fit(trainer: TorchTrainer, fitted: Future[dict[str, Any]]) -> None:
    try:
        returned = trainer.fit().return_value
        assert returned is not None, "every worker returns something"
        fitted.set_result(returned)
    except BaseException as error:  # handed to the thread that waits
        fitted.set_exception(error)


def _loss(error: BaseException) -> str:
    """Why workers were lost, in a few words.

    Raises:
        StreamerError: a worker met something that its user can mend.
        BaseException: the error itself, where no worker was lost but something is wrong with this software.
    """
    failures = list(getattr(error, "worker_failures", {}).values()) or [error]
    causes = [getattr(failure, "_base_exc", failure) for failure in failures]
    causes = [getattr(cause, "health_check_failure", cause) for cause in causes]
    for cause in causes:
        if isinstance(cause, StreamerError):
            raise cause
        if isinstance(cause, OSError) and cause.filename is not None:
            raise RunFolderError(
                f"{cause.filename}: {cause.strerror}: mend that, then give the same command again"
            ) from error
    if not all(map(_is_loss, causes)):
        raise error
    died = [cause for cause in causes if not isinstance(cause, ReplicaLostError)]
    return " ".join(str((died or causes)[0]).split("\n")[0].split())


def _is_loss(cause: BaseException) -> bool:
    """Whether the process of a worker, or of something that it needs, is gone."""
    if isinstance(cause, (ReplicaLostError, RayActorError)):
        return True
    return isinstance(cause, RayError) and not isinstance(cause, RayTaskError)
