"""A trial inside Ray: waits for a training that runs in a process of its own.

The training is a driver of Ray's like any other, in the cluster of the sweep: what it needs it asks for
itself, by the placement group of its workers. So the trial's actor holds no CPU; if it held those of the
workers, they would wait for what it has.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune

from pipelines.folder_lock import FolderLock
from pipelines.run_folder import RunFolderError

POLL_SECONDS = 0.5
FREE_SECONDS = 60.0  # until a training of an earlier, killed sweep has left the folder
CODE, SECONDS = "exit_code", "seconds"


@dataclass(frozen=True)
class Launch:
    """What a trial starts.

    Attributes:
        words: of its command line.
        environment: its variables.
        working_folder: where it starts.
        folder: of its run.
        log: file that takes what it prints.
    """

    words: Sequence[str]
    environment: Mapping[str, str]
    working_folder: str
    folder: Path
    log: Path


@ray.remote(num_cpus=0)
class TrialDesk:
    """Tells trials what to start, and when to stop.

    Variables of the environment stay in this actor's memory: Tune writes what a trial is made of to disk.

    Args:
        launches: by the number of the trial.
    """

    def __init__(self, launches: Mapping[int, Launch]) -> None:
        self._launches = launches
        self._stops = False

    def launch(self, number: int) -> Launch | None:
        """What a trial starts; None where it shall not any more."""
        return None if self._stops else self._launches[number]

    def stop(self) -> None:
        """Asks all trials to stop."""
        self._stops = True

    def stops(self) -> bool:
        """Whether they shall."""
        return self._stops


def run_trial(config: Mapping[str, Any], desk: Any) -> None:
    """What Ray Tune runs: reports how the training of a trial ended, and after how long."""
    launch: Any = ray.get(desk.launch.remote(config["trial"]))
    if launch is None:
        tune.report({CODE: None, SECONDS: 0.0})
        return
    start = time.monotonic()
    code = run_process(launch, lambda: ray.get(desk.stops.remote()))
    tune.report({CODE: code, SECONDS: time.monotonic() - start})


def run_process(launch: Launch, stops: Callable[[], bool]) -> int | None:
    """Runs a training to its end, which comes soon where that is wished.

    Args:
        launch: the training.
        stops: whether it shall stop; is asked twice a second.

    Returns:
        Its exit code, or minus the signal that ended it; None where it was not started any more.
    """
    if not _folder_free(launch.folder, stops):
        return None
    with launch.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - the words are our own: this interpreter, this package
            launch.words,
            env=dict(launch.environment),
            cwd=launch.working_folder,
            stdin=subprocess.PIPE,  # ends with this process, see `trial_process`
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the sweep, which passes it on
        )
    asked = False
    try:
        while True:
            try:
                return process.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if asked or not stops():
                    continue
            asked = True
            process.terminate()  # it saves where it is
    finally:
        process.kill()  # has ended, unless this one is being ended itself
        process.wait()


def _folder_free(folder: Path, stops: Callable[[], bool]) -> bool:
    """Waits for whoever works in a run's folder, in the end in vain: the training itself says then who does.

    Returns:
        False where the wish to stop came before.
    """
    end = time.monotonic() + FREE_SECONDS
    while time.monotonic() < end and not stops():
        with suppress(RunFolderError), FolderLock(folder) as lock:
            lock.hold()
            return True
        time.sleep(POLL_SECONDS)
    return not stops()
