"""What it costs two workers on one machine to learn one model."""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist

from benchmarks.child import in_children
from benchmarks.material import snippets
from benchmarks.models import small_model
from pipelines.replicas import DistributedReplicas
from streamer.config import StreamerConfig
from streamer.streamer import Streamer

WORKERS = 2
SNIPPETS = 150
COUNTS = 3 * 3 + 2  # losses, inputs and existence of three levels, and the two flags of the training loop
CALLS = 200
GATHERS = 20


class Cost(NamedTuple):
    """Seconds that something took one worker, and how many of them it computed."""

    wall_s: float
    cpu_s: float


class Replica(NamedTuple):
    """What one worker measured.

    Attributes:
        alone: a snippet, while the other worker computes too but they never meet.
        together: a snippet with the barrier after it.
        counts: a sum over workers of the numbers that every barrier sums.
        gradients: a sum over workers of all gradients, as before an optimiser step.
        steps: optimiser steps in a repetition.
        parameters: numbers in the gradients.
    """

    alone: Cost
    together: Cost
    counts: Cost
    gradients: Cost
    steps: int
    parameters: int


def replica(rank: int, store: str, config: StreamerConfig, repetitions: int) -> Replica:
    """One of the workers; all of them measure at the same time."""
    torch.set_num_threads(1)
    names = [name for _, name in socket.if_nameindex()]
    os.environ.setdefault("GLOO_SOCKET_IFNAME", next(name for name in names if name.startswith("lo")))
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=WORKERS,
        timeout=timedelta(minutes=5),
    )
    stream = snippets(config, SNIPPETS)
    replicas = DistributedReplicas(torch.device("cpu"))
    counts = torch.zeros(COUNTS, dtype=torch.float64)
    alone, together, summed, gathered = [], [], [], []
    steps = size = 0
    for _ in range(repetitions):
        single = Streamer(config)
        dist.barrier()
        alone.append(_cost(lambda model=single: _observe(model, stream), SNIPPETS))
        joint = Streamer(config, replicas=replicas)
        dist.barrier()
        together.append(_cost(lambda model=joint: _observe(model, stream), SNIPPETS))
        assert joint.learner is not None
        steps = joint.learner.steps
        size = sum(parameter.numel() for parameter in joint.levels.parameters())
        dist.barrier()
        summed.append(_cost(lambda: [replicas.sum_(counts) for _ in range(CALLS)], CALLS))
        gathered.append(_cost(lambda model=joint: [model.gather() for _ in range(GATHERS)], GATHERS))
    dist.destroy_process_group()
    return Replica(_median(alone), _median(together), _median(summed), _median(gathered), steps, size)


def run(repetitions: int) -> list[dict[str, Any]]:
    """Measures two workers, and what of their time goes into meeting."""
    config = small_model()
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")

        def start(pool: ProcessPoolExecutor) -> list[Replica]:
            workers = [pool.submit(replica, rank, store, config, repetitions) for rank in range(WORKERS)]
            return [worker.result() for worker in workers]

        first = in_children(WORKERS, start)[0]
    rows = {
        "snippet, workers apart": (first.alone, 1.0),
        "snippet, barrier after each": (first.together, 1.0),
        f"sum of {COUNTS} counts": (first.counts, 1.0),
        f"sum of {first.parameters / 1e6:.1f} M gradients": (first.gradients, first.steps / SNIPPETS),
    }
    return [
        {
            "what": name,
            "wall ms": 1000 * cost.wall_s,
            "CPU ms": 1000 * cost.cpu_s,
            "times per snippet": often,
            "wall / snippet's wall": cost.wall_s * often / first.alone.wall_s,
            "CPU / snippet's CPU": cost.cpu_s * often / first.alone.cpu_s,
        }
        for name, (cost, often) in rows.items()
    ]


def _observe(model: Streamer, stream: np.ndarray) -> None:
    for snippet in stream:
        model.observe(snippet)


def _cost(work: Callable[[], object], times: int) -> Cost:
    """Cost of one of the `times` things that `work` does."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return Cost((time.perf_counter() - started) / times, (time.process_time() - used) / times)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))
