"""Ray Train at work: starts the workers, and hands their reports to the driver as they come."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import Any

import ray
import ray.train
from ray.train import Checkpoint, LoggingConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.torch import TorchTrainer

from pipelines.run_folder import RunFolder
from pipelines.worker import WorkerTask, train_worker

POLL_SECONDS = 0.5

Reports = list[dict[str, Any]]


@ray.remote(num_cpus=0)
class ReportBoard:
    """Holds workers' reports until the driver takes them."""

    def __init__(self) -> None:
        self._reports: list[Reports] = []

    def add(self, reports: Reports) -> None:
        """Takes in one report of every worker."""
        self._reports.append(reports)

    def take(self) -> list[Reports]:
        """Hands out what came since the last call."""
        taken, self._reports = self._reports, []
        return taken


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
    interrupted: Event,
) -> dict[str, Any] | None:
    """Trains to the end of all videos.

    Ray Train runs in a thread of its own, so that the calling thread stays free for reports and Ctrl-C.

    Args:
        task: what every worker is told.
        workers: how many there are.
        use_gpu: whether each holds a GPU.
        folder: the run; checkpoints go there.
        receive: called in the calling thread with one report of every worker, in order of time.
        interrupted: is set when the run shall end early; the workers end with the Ray session then.

    Returns:
        What the worker of rank 0 returned; None where the run was interrupted.
    """
    board: Any = ReportBoard.remote()  # an actor's methods have attributes that its class has not
    callbacks: list[UserCallback] = [ReportForwarder(board)]
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"task": task},
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=use_gpu, resources_per_worker=_resources(use_gpu)
        ),
        run_config=RunConfig(
            name=folder.checkpoints.name,
            storage_path=str(folder.root),
            callbacks=callbacks,
            logging_config=LoggingConfig(log_level="WARNING"),
        ),
    )
    fitted: Future[dict[str, Any]] = Future()
    Thread(target=_fit, args=(trainer, fitted), name="ray-train", daemon=True).start()
    while not interrupted.wait(POLL_SECONDS):
        done = fitted.done()  # before the reports are taken, so that the last ones are not missed
        for reports in ray.get(board.take.remote()):
            receive(reports)
        if done:
            return fitted.result()
    return None


def _resources(use_gpu: bool) -> dict[str, float]:
    return {"CPU": 1, "GPU": 1} if use_gpu else {"CPU": 1}


def _fit(trainer: TorchTrainer, fitted: Future[dict[str, Any]]) -> None:
    try:
        returned = trainer.fit().return_value
        assert returned is not None, "every worker returns something"
        fitted.set_result(returned)
    except BaseException as error:  # handed to the thread that waits
        fitted.set_exception(error)
