"""What runs in each training worker: its replica, its streams, its loop, its reports to Ray Train."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ray
import ray.train
import ray.train.torch
import torch
import torch.distributed as dist

from pipelines.catalog import CatalogEntry
from pipelines.checkpoints import Checkpointer, agree_on_latest
from pipelines.decoding import BYTES_AHEAD, DecodingSettings
from pipelines.meters import WorkerMeters
from pipelines.replicas import DistributedReplicas, TimedReplicas, checksum
from pipelines.restart import Start, begin, go_on
from pipelines.run_folder import RunFolder
from pipelines.snippets import SnippetFormat
from pipelines.store import HierarchyStore
from pipelines.streams import LaneStream, lane_stream
from pipelines.synchronization import AveragedParameters, SummedGradients, Synchronization
from pipelines.training import TrainingLoop
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
        decoders: processes that decode ahead for each lane.
        decode_timeout_s: seconds without a snippet after which one is ended.
        cache: folder of decoded snippets.
        sync: how workers learn together.
        sync_every: snippets per lane between barriers.
        checkpoint_every_s: seconds between checkpoints.
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
    decoders: int
    decode_timeout_s: float
    cache: str | None
    sync: Literal["gradients", "parameters"]
    sync_every: int
    checkpoint_every_s: float
    out: str
    metadata: Mapping[str, str]
    signals: bool


def train_worker(arguments: dict[str, Any]) -> dict[str, Any]:
    """Ray Train's function per worker.

    Args:
        arguments: `task`, the `WorkerTask`, and `board`, the actor that knows whether to stop.

    Returns:
        Checksums of all replicas' parameters, in order of rank, and whether the run was stopped.
    """
    logging.getLogger("ray.train").setLevel(logging.ERROR)
    task: WorkerTask = arguments["task"]
    device = ray.train.torch.get_device()
    assert isinstance(device, torch.device)
    alone = not dist.is_initialized() or dist.get_world_size() == 1
    replicas = TimedReplicas(SingleReplica() if alone else DistributedReplicas(device))
    folder = RunFolder(task.out)
    shared = task.sync == "gradients"
    model, synchronization = _make_model(task, device, replicas)
    start = _begin(task, folder, model, synchronization, replicas)
    streams = _open_streams(task, start)
    meters = WorkerMeters(replicas, streams)
    loop = TrainingLoop(
        model,
        synchronization,
        streams,
        HierarchyStore(folder, task.metadata, signals=task.signals),
        sync_every=task.sync_every,
        report=meters.report,
        position=start.position,
        checkpoints=Checkpointer(folder.checkpoints, model, replicas, start.assignment, shared=shared),
        checkpoint_every_s=task.checkpoint_every_s,
        asked_to_stop=StopQuestion(arguments["board"]) if replicas.rank == 0 else lambda: False,
    )
    loop.run()
    if loop.stopped:
        return {"stopped": True, "checksums": []}
    checksums = _gather_checksums(model, replicas)
    if replicas.rank == 0:
        folder.final_checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(model, folder.final_checkpoint)
    return {"stopped": False, "checksums": checksums}


class StopQuestion:
    """Asks the driver whether to stop, and never waits for its answer.

    Args:
        board: the actor that knows.
    """

    def __init__(self, board: Any) -> None:
        self._board = board
        self._asked: Any = None

    def __call__(self) -> bool:
        """The answer to the question before, if it has come."""
        if self._asked is None:
            self._asked = self._board.stops.remote()
            return False
        answered, _ = ray.wait([self._asked], timeout=0)
        if not answered:
            return False
        self._asked = None
        return ray.get(answered[0])


def _begin(
    task: WorkerTask,
    folder: RunFolder,
    model: Streamer,
    synchronization: Synchronization,
    replicas: Replicas,
) -> Start:
    """Brings the model to the last checkpoint, where there is one."""
    saved = agree_on_latest(folder.checkpoints, replicas)
    if saved is None:
        if task.init is not None:
            checkpoint.restore_parameters(model, checkpoint.read(task.init), task.init)
        return begin(task.entries, replicas.size, task.lanes, replicas.rank)
    shared = task.sync == "gradients"
    start = go_on(saved, model, task.entries, workers=replicas.size, rank=replicas.rank, shared=shared)
    synchronization.averaged_steps = start.position.averaged_steps
    if not shared and start.assignment != saved.assignment:
        synchronization.finish()  # former workers may have had unequally many levels
    return start


def _open_streams(task: WorkerTask, start: Start) -> list[LaneStream]:
    """One stream for each lane of a worker; all begin to decode at once."""
    form = SnippetFormat.of(task.model, task.decoder)
    settings = DecodingSettings(
        decoders=task.decoders,
        timeout_s=task.decode_timeout_s,
        cache=task.cache,
        bytes_ahead=BYTES_AHEAD // task.lanes,
    )
    return [lane_stream(parts, form, settings) for parts in start.parts]


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
    return model, AveragedParameters(model, replicas) if alone else SummedGradients(model)


def _gather_checksums(model: Streamer, replicas: Replicas) -> list[int]:
    row = torch.zeros(replicas.size, dtype=torch.float64)
    row[replicas.rank] = checksum(model.levels)
    return [int(value) for value in replicas.sum_(row)]
