"""The checkpoints of a training run: all workers' files in one folder, which exists whole or not at all.

    OUT/checkpoints/000007/streamer.pt        model of worker 0, an ordinary checkpoint
                           replica-0001.pt    what is another worker's own
                           position-0000.pt   how far each worker's videos have come
                           assignment.json    which videos each lane watches

Every worker writes its files into a hidden folder; when all have, worker 0 renames it. The newest folder is
the one to go on from.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from pipelines.position import WorkerPosition
from pipelines.run_folder import CHECKPOINT_FILE
from streamer import checkpoint
from streamer.atomic import atomic_write, sync_folder
from streamer.errors import CheckpointError
from streamer.replicas import Replicas
from streamer.streamer import Streamer

KEPT = 2  # the newest, and the one before for a process that is still reading it
ASSIGNMENT_FILE = "assignment.json"


@dataclass(frozen=True)
class Assignment:
    """Which videos are watched where.

    Attributes:
        workers: number of workers.
        lanes: lanes of each.
        slots: for each lane of each worker the ids of its videos, in order; see `slots_of`.
    """

    workers: int
    lanes: int
    slots: list[list[str]]


@dataclass(frozen=True)
class SavedRun:
    """One checkpoint.

    Attributes:
        folder: where it lies.
        assignment: as it was.
    """

    folder: Path
    assignment: Assignment

    def model_path(self, rank: int) -> Path:
        """The file of a worker's model."""
        return self.folder / (CHECKPOINT_FILE if rank == 0 else f"replica-{rank:04d}.pt")

    def position(self, rank: int) -> WorkerPosition:
        """How far a worker had come.

        Raises:
            CheckpointError: its file cannot be read.
        """
        path = _position_path(self.folder, rank)
        try:
            return WorkerPosition.from_state(checkpoint.load_content(path))
        except (LookupError, TypeError) as error:
            raise CheckpointError(f"{path}: is damaged: {error}; start over with --fresh") from error


def latest(checkpoints: Path) -> SavedRun | None:
    """The newest whole checkpoint of a run; None where there is none."""
    return _saved(checkpoints / _name(serial)) if (serial := _newest(checkpoints)) else None


def agree_on_latest(checkpoints: Path, replicas: Replicas) -> SavedRun | None:
    """The same for all workers, some of whom a shared disk may show older contents; every worker calls."""
    serial = _newest(checkpoints) if replicas.rank == 0 else 0
    agreed = int(replicas.sum_(torch.tensor([serial], dtype=torch.int64)))
    return _saved(checkpoints / _name(agreed)) if agreed else None


def remove_all(checkpoints: Path) -> None:
    """Removes checkpoints that nobody will go on from, and what unfinished ones left."""
    for path in _folders(checkpoints):
        shutil.rmtree(path)


class Checkpointer:
    """Writes checkpoints of a run; one per worker.

    Args:
        checkpoints: the folder of the run's checkpoints.
        model: this worker's.
        replicas: the workers.
        assignment: goes into every checkpoint.
        shared: whether all workers have the same parameters, which are written once then.
    """

    def __init__(
        self, checkpoints: Path, model: Streamer, replicas: Replicas, assignment: Assignment, *, shared: bool
    ) -> None:
        self._checkpoints = checkpoints
        self._model = model
        self._replicas = replicas
        self._assignment = assignment
        self._shared = shared
        checkpoints.mkdir(parents=True, exist_ok=True)
        # Another attempt at this run may not be quite dead yet: its files must not meet these.
        first = [_newest(checkpoints) + 1, random.getrandbits(31)] if replicas.rank == 0 else [0, 0]
        self._serial, self._attempt = replicas.sum_(torch.tensor(first, dtype=torch.int64)).tolist()
        if replicas.rank == 0:
            _clear_unfinished(checkpoints)

    def save(self, position: WorkerPosition) -> None:
        """Writes a checkpoint; every worker calls, at the same barrier.

        Raises:
            OSError: it cannot be written; the one before is still there.
        """
        rank = self._replicas.rank
        hidden = self._checkpoints / f".{self._attempt:08x}-{_name(self._serial)}"
        hidden.mkdir(exist_ok=True)
        saved = SavedRun(hidden, self._assignment)
        checkpoint.save(self._model, saved.model_path(rank), parameters=rank == 0 or not self._shared)
        with atomic_write(_position_path(hidden, rank)) as temporary:
            torch.save(position.to_state(), temporary)
        if rank == 0:
            with atomic_write(hidden / ASSIGNMENT_FILE) as temporary:
                temporary.write_text(json.dumps(asdict(self._assignment)))
        self._replicas.sum_(torch.zeros(1))  # all have written
        if rank == 0:
            os.replace(hidden, self._checkpoints / _name(self._serial))
            sync_folder(self._checkpoints)
            _remove_older(self._checkpoints, self._serial)
        self._serial += 1


def _position_path(folder: Path, rank: int) -> Path:
    return folder / f"position-{rank:04d}.pt"


def _name(serial: int) -> str:
    return f"{serial:06d}"


def _saved(folder: Path) -> SavedRun:
    path = folder / ASSIGNMENT_FILE
    try:
        content: Mapping[str, Any] = json.loads(path.read_text())
        return SavedRun(folder, Assignment(**content))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); start over with --fresh") from error


def _newest(checkpoints: Path) -> int:
    """Serial number of the newest whole checkpoint; 0 where there is none."""
    return max((int(path.name) for path in _folders(checkpoints) if path.name.isdigit()), default=0)


def _folders(checkpoints: Path) -> list[Path]:
    """Folders of checkpoints, whole or unfinished."""
    if not checkpoints.is_dir():
        return []
    return [path for path in checkpoints.iterdir() if re.fullmatch(r"(\.[0-9a-f]{8}-)?\d{6,}", path.name)]


def _clear_unfinished(checkpoints: Path) -> None:
    for path in _folders(checkpoints):
        if path.name.startswith("."):
            shutil.rmtree(path, ignore_errors=True)  # of an attempt that may still be writing


def _remove_older(checkpoints: Path, serial: int) -> None:
    for path in _folders(checkpoints):
        if path.name.isdigit() and int(path.name) <= serial - KEPT:
            shutil.rmtree(path)
