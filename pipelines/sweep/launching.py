"""What a sweep starts: the command of each trial, and a Ray session with room for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipelines.config import TrainConfig
from pipelines.session import DECODE_CPUS, WORKER_CPUS, ClusterError, ray_session
from pipelines.sweep.options import nested
from pipelines.sweep.plan import Plan, Trial
from pipelines.sweep.records import Record
from streamer.atomic import atomic_write

if TYPE_CHECKING:
    from pipelines.sweep.trial import Launch

OPTIONS_FILE = "train.yaml"


@contextmanager
def trial_session(plan: Plan, trials: Sequence[Trial]) -> Iterator[None]:
    """A Ray session with room for as many of the trials as run at the same time; none where there are none.

    Raises:
        ClusterError: the cluster cannot be reached, or is too small.
    """
    if not trials:
        yield
        return
    most = plan.file.concurrent
    configs = [trial.config for trial in trials]
    largest = max(configs, key=lambda config: config.workers * (WORKER_CPUS + _decode_cpus(config)))
    gpus = max(config.workers if config.device == "cuda" else 0 for config in configs)
    with ExitStack() as stack:
        try:
            stack.enter_context(ray_session(most * largest.workers, _decode_cpus(largest), most * gpus))
        except ClusterError as error:
            raise ClusterError(f"{plan.path}: with concurrent: {most}, {error}") from error
        yield


def _decode_cpus(config: TrainConfig) -> float:
    """CPUs that the decoding for each worker of a training needs."""
    return config.lanes * config.decoders * DECODE_CPUS


def prepare_launch(record: Record, environment: Mapping[str, str]) -> Launch:
    """Writes the options of a trial's training into its folder, and says how to start it."""
    from pipelines.sweep.trial import Launch  # imports Ray, whose environment is set by now

    folder = record.trial.folder
    folder.root.mkdir(parents=True, exist_ok=True)
    if not folder.run_json.exists():
        folder.clear()  # what is left of a training that was killed before it had one
    record.logged = record.log.stat().st_size if record.log.exists() else 0
    path = folder.root / OPTIONS_FILE
    with atomic_write(path) as temporary:
        temporary.write_text(yaml.safe_dump(nested({**record.trial.options, "out": str(folder.root)})))
    return Launch(
        words=[sys.executable, "-m", "pipelines.sweep.trial_process", "train", "--config", str(path)],
        environment=environment,
        working_folder=os.getcwd(),
        folder=folder.root,
        log=record.log,
    )


def training_environment(store: str) -> dict[str, str]:
    """Variables for trainings: those of this process, in whose Ray session and tracking store they work."""
    import ray

    packages = str(Path(__file__).parents[2])
    return {
        **os.environ,
        "RAY_ADDRESS": ray.get_runtime_context().gcs_address,
        "MLFLOW_TRACKING_URI": store,
        "PYTHONPATH": os.pathsep.join(filter(None, [packages, os.environ.get("PYTHONPATH")])),
    }
