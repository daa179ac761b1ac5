"""Runs training loops in several processes that meet through gloo on the loopback."""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist

from pipelines.replicas import DistributedReplicas, checksum
from pipelines.run_folder import RunFolder
from pipelines.synchronization import AveragedParameters, SummedGradients
from pipelines.training import TrainingLoop
from streamer.config import Precision
from streamer.streamer import Streamer
from tests.pipelines.tiny import SEED, Video, stream, tiny_config, tiny_store

PATIENCE_S = 120.0  # far above the seconds that the processes need, so that only a hang exceeds it


@dataclass(frozen=True)
class Scenario:
    """One group of workers.

    Attributes:
        name: also names its folder.
        shares: the videos of each lane, the lanes of a worker one after the other.
        lanes: per worker.
        sync: as for the command.
        sync_every: as for the command.
        precision: as for the command.
    """

    name: str
    shares: Sequence[Sequence[Video]]
    lanes: int = 1
    sync: Literal["gradients", "parameters"] = "gradients"
    sync_every: int = 1
    precision: Precision = "float64"

    @property
    def by_worker(self) -> list[Sequence[Sequence[Video]]]:
        """For each worker, the videos of each of its lanes."""
        return [self.shares[first : first + self.lanes] for first in range(0, len(self.shares), self.lanes)]


def run_scenarios(scenarios: Sequence[Scenario], root: Path) -> dict[str, list[dict[str, Any]]]:
    """Runs scenarios one after the other in one set of processes, since starting these takes the time.

    Returns:
        Per scenario what every worker found, in order of rank.
    """
    context = multiprocessing.get_context("spawn")
    size = max(len(scenario.by_worker) for scenario in scenarios)
    processes = [context.Process(target=_work, args=(rank, scenarios, root)) for rank in range(size)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    hanging = [process for process in processes if process.is_alive()]
    for process in hanging:
        process.kill()
        process.join()
    assert not hanging, "workers wait for each other"
    assert [process.exitcode for process in processes] == [0] * size
    return {
        scenario.name: [
            torch.load(root / f"{scenario.name}-{rank}.pt") for rank in range(len(scenario.by_worker))
        ]
        for scenario in scenarios
    }


class Watched:
    """Notes the parameters' checksum after every optimiser step or averaging, and at the end."""

    def __init__(self, model: Streamer, inner: SummedGradients | AveragedParameters) -> None:
        self.checksums: list[int] = []
        self.averaged_steps = 0  # of no use where nothing is saved
        self._model, self._inner = model, inner
        self._steps = 0

    def base_step_done(self) -> None:
        self._inner.base_step_done()

    def barrier(self, observed: int, flags: Sequence[float]) -> list[float]:
        sums = self._inner.barrier(observed, flags)
        assert self._model.learner is not None
        if self._model.learner.steps > self._steps and isinstance(self._inner, SummedGradients):
            self._steps = self._model.learner.steps
            self.checksums.append(checksum(self._model.levels))
        return sums

    def finish(self) -> None:
        self._inner.finish()
        self.checksums.append(checksum(self._model.levels))


def _work(rank: int, scenarios: Sequence[Scenario], root: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"
    for scenario in scenarios:
        size = len(scenario.by_worker)
        if rank < size:
            meeting = f"file://{root / scenario.name}.meeting"
            dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
            torch.save(_train(rank, scenario, root / scenario.name), root / f"{scenario.name}-{rank}.pt")
            dist.destroy_process_group()


def _train(rank: int, scenario: Scenario, out: Path) -> dict[str, Any]:
    replicas = DistributedReplicas(torch.device("cpu"))
    alone = scenario.sync == "parameters"
    model = Streamer(
        tiny_config(),
        lanes=scenario.lanes,
        seed=SEED,
        precision=scenario.precision,
        replicas=None if alone else replicas,
    )
    watched = Watched(model, AveragedParameters(model, replicas) if alone else SummedGradients(model))
    reports: list[dict[str, Any]] = []
    loop = TrainingLoop(
        model,
        watched,
        [stream(videos) for videos in scenario.by_worker[rank]],
        tiny_store(RunFolder(out)),
        sync_every=scenario.sync_every,
        report=lambda report: reports.append(asdict(report)),
    )
    last = loop.run()
    return {
        "checksums": watched.checksums,
        "parameters": [parameter.detach() for parameter in model.levels.parameters()],
        "last": asdict(last),
        "reports": reports,
    }
