"""What runs in each training worker: its replica, its streams, its loop, its reports to Ray Train."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import ray.train
import ray.train.torch
import torch
import torch.distributed as dist

from pipelines.assignment import assign
from pipelines.catalog import CatalogEntry
from pipelines.replicas import DistributedReplicas, checksum
from pipelines.run_folder import CHECKPOINT_FILE, FINAL_CHECKPOINT, RunFolder
from pipelines.snippets import SnippetBlock, SnippetFormat, VideoEnd, read_rows
from pipelines.store import HierarchyStore
from pipelines.streams import BYTES_AHEAD, fetch_ahead, ray_rows
from pipelines.synchronization import AveragedParameters, SummedGradients, Synchronization
from pipelines.training import TrainingLoop, WorkerReport
from streamer import checkpoint
from streamer.config import Precision, StreamerConfig
from streamer.replicas import Replicas, SingleReplica
from streamer.sources import Decoder
from streamer.streamer import Streamer


@dataclass(frozen=True)
class WorkerTask:
    """What every worker is told; all are told the same.

    Attributes:
        model: what the model is.
        seed: determines initial parameters.
        precision: numbers that the model computes with.
        lanes: videos that each worker watches at the same time.
        init: checkpoint whose parameters to start from.
        entries: all videos of the run; each worker takes its share.
        decoder: which library decodes.
        sync: how workers learn together.
        sync_every: snippets per lane between barriers.
        out: folder of the run.
        metadata: goes into every hierarchy's schema metadata.
        signals: whether signals are stored.
    """

    model: StreamerConfig
    seed: int
    precision: Precision
    lanes: int
    init: str | None
    entries: list[CatalogEntry]
    decoder: Decoder
    sync: Literal["gradients", "parameters"]
    sync_every: int
    out: str
    metadata: Mapping[str, str]
    signals: bool


def train_worker(arguments: dict[str, Any]) -> dict[str, Any]:
    """Ray Train's function per worker.

    Args:
        arguments: `task`, the `WorkerTask`.

    Returns:
        Checksums of all replicas' parameters, in order of rank.
    """
    logging.getLogger("ray.train").setLevel(logging.WARNING)
    task: WorkerTask = arguments["task"]
    context = ray.train.get_context()
    device = ray.train.torch.get_device()
    assert isinstance(device, torch.device)
    replicas: Replicas = DistributedReplicas(device) if dist.is_initialized() else SingleReplica()
    model, synchronization = _make_model(task, device, replicas)
    store = HierarchyStore(RunFolder(task.out), task.metadata, signals=task.signals)
    loop = TrainingLoop(
        model,
        synchronization,
        _open_streams(task, context.get_world_rank(), context.get_world_size()),
        store,
        sync_every=task.sync_every,
        report=lambda report: ray.train.report(asdict(report)),
    )
    last = loop.run()
    checksums = _gather_checksums(model, replicas)
    _report_final(model, replicas.rank, last)
    return {"checksums": checksums}


def _open_streams(task: WorkerTask, rank: int, workers: int) -> list[Iterator[SnippetBlock | VideoEnd]]:
    """One stream for each lane of a worker; all begin to decode at once."""
    form = SnippetFormat.of(task.model, task.decoder)
    slots = assign(task.entries, workers * task.lanes)
    own = slots[rank * task.lanes : (rank + 1) * task.lanes]
    bytes_ahead = BYTES_AHEAD // task.lanes
    return [fetch_ahead(read_rows(ray_rows(entries, form, bytes_ahead), form)) for entries in own]


def _make_model(
    task: WorkerTask, device: torch.device, replicas: Replicas
) -> tuple[Streamer, Synchronization]:
    alone = task.sync == "parameters"
    model = Streamer(
        task.model,
        lanes=task.lanes,
        seed=task.seed,
        device=device,
        precision=task.precision,
        replicas=None if alone else replicas,
    )
    if task.init is not None:
        checkpoint.restore_parameters(model, checkpoint.read(task.init), task.init)
    return model, AveragedParameters(model, replicas) if alone else SummedGradients(model)


def _gather_checksums(model: Streamer, replicas: Replicas) -> list[int]:
    row = torch.zeros(replicas.size, dtype=torch.float64)
    row[replicas.rank] = checksum(model.levels)
    return [int(value) for value in replicas.sum_(row)]


def _report_final(model: Streamer, rank: int, last: WorkerReport) -> None:
    """Reports the final checkpoint, which rank 0 writes for all."""
    most = len(last.events)
    totals = replace(last, ended=[], signal_sums=[0.0] * most, signal_counts=[0] * most)
    metrics = asdict(totals)  # what is new since the last report has been reported
    if rank != 0:
        ray.train.report(metrics, checkpoint=None, checkpoint_dir_name=FINAL_CHECKPOINT)
        return
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(model, Path(folder) / CHECKPOINT_FILE)
        ray.train.report(
            metrics,
            checkpoint=ray.train.Checkpoint.from_directory(folder),
            checkpoint_dir_name=FINAL_CHECKPOINT,
        )
