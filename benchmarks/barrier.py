"""What it costs two workers on one machine to learn one model."""

from __future__ import annotations

import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.child import in_children
from benchmarks.model import material, observe, small_model
from pipelines.replicas import DistributedReplicas
from streamer.config import StreamerConfig
from streamer.streamer import Streamer

WORKERS = 2
SNIPPETS = 150
COUNTS = 3 * 3 + 2  # losses, inputs and existence of three levels, and the two flags of the training loop
CALLS = 200
GATHERS = 20


def replica(rank: int, store: str, config: StreamerConfig, repetitions: int) -> dict[str, Any]:
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
    snippets = material(config, SNIPPETS)
    replicas = DistributedReplicas(torch.device("cpu"))
    counts = torch.zeros(COUNTS, dtype=torch.float64)
    alone, together, summed, gathered = [], [], [], []
    steps = 0
    for _ in range(repetitions):
        single = Streamer(config)
        dist.barrier()
        alone.append(_seconds(lambda model=single: observe(model, snippets)) / SNIPPETS)
        joint = Streamer(config, replicas=replicas)
        dist.barrier()
        together.append(_seconds(lambda model=joint: observe(model, snippets)) / SNIPPETS)
        assert joint.learner is not None
        steps = joint.learner.steps
        dist.barrier()
        summed += [_seconds(lambda: replicas.sum_(counts)) for _ in range(CALLS)]
        gathered += [_seconds(joint.gather) for _ in range(GATHERS)]
    dist.destroy_process_group()
    medians = (statistics.median(values) for values in (alone, together, summed, gathered))
    size = sum(parameter.numel() for parameter in joint.levels.parameters())
    names = ("alone_s", "together_s", "counts_s", "gradients_s")
    return {**dict(zip(names, medians, strict=True)), "steps": steps, "parameters": size}


def run(repetitions: int) -> list[dict[str, Any]]:
    """Measures two workers, and what of their time goes into meeting."""
    config = small_model()
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")

        def start(pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
            workers = [pool.submit(replica, rank, store, config, repetitions) for rank in range(WORKERS)]
            return [worker.result() for worker in workers]

        first = in_children(WORKERS, start)[0]
    snippet = first["alone_s"]
    per_step = SNIPPETS / first["steps"]
    rows = {
        "snippet, workers apart": (snippet, 1),
        "snippet, barrier after each": (first["together_s"], 1),
        f"sum of {COUNTS} counts": (first["counts_s"], 1),
        f"sum of the gradients ({first['parameters'] / 1e6:.1f} M)": (first["gradients_s"], 1 / per_step),
    }
    return [
        {
            "what": name,
            "ms": 1000 * seconds,
            "times per snippet": often,
            "of a snippet's time": seconds * often / snippet,
        }
        for name, (seconds, often) in rows.items()
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
