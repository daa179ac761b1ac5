"""One worker against two, and what a barrier costs by size of the model and number of workers."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks import unit_costs
from benchmarks.child import in_child, in_children
from benchmarks.material import encode
from pipelines.replicas import DistributedReplicas
from pipelines.tracking import DATABASE_FILE
from streamer.errors import StreamerError

Row = dict[str, Any]

COUNTS = 3 * 3 + 5  # losses, inputs and existence of three levels, and the flags of the training loop
LANES = (1, 4)
SYNC_EVERY = (1, 10)
WORKERS = (1, 2)
RATE, HEIGHT, WIDTH, SCENE_S = 5, 90, 160, 10.0  # of the videos: cheap to decode
LARGE = 5e7  # parameters from which a sum is repeated less often


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        only: text in the titles of the tables that are made.
        repetitions: of every run of `streamer train`, of which medians are taken.
        quick: only try whether everything runs.
    """

    only: str = ""
    repetitions: int = 1
    quick: bool = False

    @property
    def parameters(self) -> tuple[float, ...]:
        """Sizes of models."""
        return (1e5, 1e6) if self.quick else (1e6, 1e7, 6e7, 2.4e8)

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Numbers of processes that sum."""
        return (1, 2) if self.quick else (1, 2, 4, 8)

    @property
    def minutes(self) -> dict[int, float]:
        """Length of the one video that every lane watches, by number of lanes."""
        return {1: 6.0, 4: 3.0} if self.quick else {1: 15.0, 4: 8.0}


def run(options: Options, show: Callable[[str, list[Row]], None]) -> list[Row]:
    """Measures everything that is asked for.

    Raises:
        StreamerError: a run failed, or no table is called so.
    """
    tables: dict[str, Callable[[], list[Row]]] = {
        "Base steps of the small model, one thread": lambda: unit_costs.all_base_steps(options.quick),
        "Snippets of 128 pixels from a cache": lambda: unit_costs.all_cached_reads(options.quick),
        "Sums over workers, gloo on the loopback": lambda: sums(options),
        "Weak scaling: streamer train, one video per lane": lambda: weak_scaling(options),
    }
    wanted = {title: make for title, make in tables.items() if options.only.lower() in title.lower()}
    if not wanted:
        raise StreamerError(f"--only {options.only}: in no title; there are: {'; '.join(tables)}")
    results = []
    for title, make in wanted.items():
        rows = make()
        show(title, rows)
        results += [{"table": title, **row} for row in rows]
    return results


def sums(options: Options) -> list[Row]:
    """What processes on this machine take to sum counts, and gradients of several sizes."""
    rows = []
    for size, parameters in product(options.group_sizes, options.parameters):
        if size > 4 and parameters > min(options.parameters):
            continue  # would need more memory and time than what it tells is worth
        with tempfile.TemporaryDirectory() as folder:
            member = partial(
                _member, size=size, store=str(Path(folder) / "store"), parameters=round(parameters)
            )
            rows.append(in_children(size, partial(_first_of, size, member)))
    return rows


def weak_scaling(options: Options) -> list[Row]:
    """Twice the workers watch twice the videos; where nothing is in the way, speed doubles."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for lanes, every in product(LANES, SYNC_EVERY):
            videos = _videos(Path(folder), max(WORKERS) * lanes, options.minutes[lanes])
            alone = None
            for workers in WORKERS:
                runs = [
                    _trained(videos[: workers * lanes], Path(folder), workers, lanes, every)
                    for _ in range(options.repetitions)
                ]
                row = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
                alone = alone or row["snippets/s"]
                rows.append(
                    {
                        "workers": workers,
                        "lanes": lanes,
                        "sync_every": every,
                        **row,
                        "efficiency": row["snippets/s"] / (workers * alone),
                        "rates": [run["snippets/s"] for run in runs],
                    }
                )
    return rows


def _first_of(size: int, member: Callable[[int], Row], pool: ProcessPoolExecutor) -> Row:
    """Runs all members of a group at the same time, and returns what the first of them found."""
    members = [pool.submit(member, rank) for rank in range(size)]
    results = [one.result() for one in members]
    return results[0]


def _member(rank: int, size: int, store: str, parameters: int) -> Row:
    """One process of a group; all of them measure at the same time."""
    torch.set_num_threads(1)
    names = [name for _, name in socket.if_nameindex()]
    os.environ.setdefault("GLOO_SOCKET_IFNAME", next(name for name in names if name.startswith("lo")))
    patience = timedelta(minutes=5)
    method = f"file://{store}"
    dist.init_process_group("gloo", init_method=method, rank=rank, world_size=size, timeout=patience)
    replicas = DistributedReplicas(torch.device("cpu"))
    counts, gradients = torch.zeros(COUNTS, dtype=torch.float64), torch.zeros(parameters)
    replicas.sum_(gradients)  # the first sum makes connections and touches memory
    often = 3 if parameters >= LARGE else 20
    small = [_timed(lambda: replicas.sum_(counts)) for _ in range(200)]
    large = [_timed(lambda: replicas.sum_(gradients)) for _ in range(often)]
    dist.barrier()
    dist.destroy_process_group()
    wall, cpu = (statistics.median(values) for values in zip(*large, strict=True))
    sent = 4 * parameters * 2 * (size - 1) / size
    return {
        "workers": size,
        "parameters": parameters,
        "counts ms": 1000 * statistics.median(wall for wall, _ in small),
        "counts CPU ms": 1000 * statistics.mean(cpu for _, cpu in small),
        "gradients ms": 1000 * wall,
        "gradients CPU ms": 1000 * cpu,
        "GB/s sent by each": sent / wall / 1e9 if size > 1 else None,
        "wall_s": [wall for wall, _ in large],
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - used


def _videos(folder: Path, count: int, minutes: float) -> list[Path]:
    """Equally long videos of different scenes; those that exist are used again."""
    first = folder / f"{minutes}-0.mp4"
    if not first.exists():
        seconds = 60 * minutes
        in_child(encode, first, seconds=seconds, rate=RATE, height=HEIGHT, width=WIDTH, scene_s=SCENE_S)
    paths = [folder / f"{minutes}-{number}.mp4" for number in range(count)]
    for path in paths[1:]:
        if not path.exists():
            path.hardlink_to(first)
    return paths


def _trained(videos: list[Path], folder: Path, workers: int, lanes: int, sync_every: int) -> dict[str, float]:
    """What a run of `streamer train` tells of its speed, without its start and its end.

    Raises:
        StreamerError: it failed.
    """
    with tempfile.TemporaryDirectory(dir=folder) as out:
        command = [sys.executable, "-m", "pipelines", "train", *map(str, videos), "--out", f"{out}/run"]
        numbers = {"workers": workers, "lanes": lanes, "sync_every": sync_every, "model.initial_levels": 3}
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI"):
            environment.pop(name, None)
        finished = subprocess.run(
            [*command, *(f"--{name}={value}" for name, value in numbers.items())],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if finished.returncode != 0:
            raise StreamerError(f"streamer train ended with {finished.returncode}: {finished.stdout[-2000:]}")
        return in_child(_recorded, f"{out}/run/{DATABASE_FILE}")


def _recorded(database: str) -> dict[str, float]:
    """The last speed that a run told MLflow, and the mean shares of its workers' time.

    Raises:
        StreamerError: it was too short to be measured.
    """
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{database}")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    [found] = client.search_runs(experiments)
    history = {
        name: [metric.value for metric in client.get_metric_history(found.info.run_id, name)]
        for name in ("snippets_per_second", "waiting_share", "barrier_share")
    }
    if not all(history.values()):
        raise StreamerError("the run ended before its second report: measure longer videos")
    return {
        "snippets/s": history["snippets_per_second"][-1],
        "waiting for snippets %": 100 * statistics.mean(history["waiting_share"]),
        "at barriers %": 100 * statistics.mean(history["barrier_share"]),
    }
