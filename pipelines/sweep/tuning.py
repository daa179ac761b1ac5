"""Ray Tune at work: runs trials, as many at a time as asked for, and tells the calling thread how they go."""

from __future__ import annotations

import logging
import os
import queue
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal

import ray
from ray import tune
from ray.exceptions import RayError, RayTaskError
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.search import Searcher
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.sweep.trial import CODE, SECONDS, Launch, TrialDesk, run_trial

POLL_SECONDS = 0.5
NODE_SHARE = 0.001  # of the resource by which Ray knows a node
QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",  # its tables cannot be turned off, those of the older output can
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}


@dataclass(frozen=True)
class TrialEvent:
    """Something that happened to a trial.

    Attributes:
        number: of the trial.
        kind: it `started`; its training `ended`; what waited for that was `lost`.
        code: exit code of the training; None where it did not begin.
        seconds: how long it ran.
        reason: why it was lost.
    """

    number: int
    kind: Literal["started", "ended", "lost"]
    code: int | None = None
    seconds: float = 0.0
    reason: str = ""


class Order(Searcher):
    """Hands out trials in their order, until somebody wants the sweep to end.

    Which trials there are follows from the sweep's file alone, so nothing is searched for here.

    Attributes:
        ended: is set when no trial shall start any more.
    """

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self._numbers = list(numbers)
        self.ended = Event()

    def suggest(self, trial_id: str) -> Any:
        """The next trial; called by Tune."""
        if self.ended.is_set() or not self._numbers:
            return Searcher.FINISHED
        return {"trial": self._numbers.pop(0)}

    def on_trial_complete(self, *args: Any, **kwargs: Any) -> None:
        """Called by Tune; no trial follows from what others gave."""

    def save(self, checkpoint_path: str) -> None:
        """Called by Tune; a sweep goes on from the folders of its trials, not from what Tune keeps."""

    def restore(self, checkpoint_path: str) -> None:
        """Is never called."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune writes what it was given to disk


class EventForwarder(tune.Callback):
    """Passes on what Tune's thread learns of trials."""

    def __init__(self, events: queue.SimpleQueue[TrialEvent]) -> None:
        self._events = events

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune writes what it was given to disk

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Called by Tune."""
        self._events.put(TrialEvent(trial.config["trial"], "started"))

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """Called by Tune."""
        result = trial.last_result
        self._events.put(TrialEvent(trial.config["trial"], "ended", result[CODE], result[SECONDS]))

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Called by Tune.

        Raises:
            BaseException: the trial's own, where it met a fault of this software.
        """
        error = trial.get_pickled_error()
        assert error is not None, "Tune keeps the error of a trial that has one"
        cause = error.cause if isinstance(error, RayTaskError) else error
        if not isinstance(cause, (RayError, OSError)):
            raise error
        reason = " ".join(str(cause).split("\n")[0].split())
        self._events.put(TrialEvent(trial.config["trial"], "lost", reason=reason))


def tune_trials(
    launches: dict[int, Launch],
    *,
    concurrent: int,
    storage: Path,
    receive: Callable[[TrialEvent], None],
    look: Callable[[], None],
    interrupted: Event,
    stopping: Callable[[], None],
) -> None:
    """Runs trials to the end of all of them, or until somebody stops them.

    Tune runs in a thread of its own, so that the calling thread stays free for events and signals.

    Args:
        launches: what each trial starts, by its number, in order.
        concurrent: how many run at the same time.
        storage: a folder for what Tune writes, removed in the end.
        receive: called in the calling thread with every event, in order of time.
        look: called there twice a second.
        interrupted: is set when the sweep shall stop; trainings save where they are and end.
        stopping: called once when it was set, before anything is waited for.
    """
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    options: Any = TrialDesk.options(scheduling_strategy=here)  # its class has attributes that Ray adds
    desk = options.remote(launches)
    events: queue.SimpleQueue[TrialEvent] = queue.SimpleQueue()
    order = Order(list(launches))
    fitted: Future[None] = Future()
    tuner = _tuner(desk, order, EventForwarder(events), concurrent, storage)
    Thread(target=_fit, args=(tuner, fitted), name="ray-tune", daemon=True).start()
    done = False
    while not done:
        if interrupted.is_set() and not order.ended.is_set():
            order.ended.set()
            desk.stop.remote()
            stopping()
        done = fitted.done()  # before events are taken, so that the last are not missed
        with suppress(queue.Empty):
            receive(events.get(timeout=POLL_SECONDS))
            while True:
                receive(events.get_nowait())
        look()
    ray.kill(desk)  # Tune's registry would keep it for as long as this process is there
    fitted.result()
    shutil.rmtree(storage)


def _tuner(desk: Any, order: Order, events: EventForwarder, concurrent: int, storage: Path) -> tune.Tuner:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # we tell what happens to trials ourselves
    # Trainings start where the sweep does: its environment and paths are theirs, other nodes may go.
    node = f"node:{ray.util.get_node_ip_address()}"
    bundle = {"CPU": 0.0, node: NODE_SHARE}
    trainable = tune.with_resources(
        tune.with_parameters(run_trial, desk=desk), tune.PlacementGroupFactory([bundle])
    )
    callbacks: list[tune.Callback] = [events]
    return tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=order,
            num_samples=-1,
            max_concurrent_trials=concurrent,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name=storage.name, storage_path=str(storage.parent), verbose=0, callbacks=callbacks
        ),
    )


def _name(trial: TuneTrial) -> str:
    """How Ray's dashboard calls a trial."""
    return f"trial-{trial.config['trial']:04d}"


def _fit(tuner: tune.Tuner, fitted: Future[None]) -> None:
    try:
        tuner.fit()
        fitted.set_result(None)
    except BaseException as error:  # handed to the thread that waits
        fitted.set_exception(error)
