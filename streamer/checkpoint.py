"""The project's own checkpoints: parameters and learner of a model, with its configuration inside."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import torch

from streamer.atomic import atomic_write
from streamer.config import Precision, StreamerConfig, config_from_dict
from streamer.errors import CheckpointError, ConfigError
from streamer.learner import Learner
from streamer.running import restore_running, running_state
from streamer.schedule import Schedule
from streamer.streamer import Streamer

FORMAT = "streamer-checkpoint"
VERSION = 2
_ENTRIES = {
    "config": dict,
    "seed": int,
    "precision": str,
    "lanes": int,
    "num_levels": int,
    "parameters": dict,
    "inputs": list,
}
# What torch's reader raises on damaged files: it follows instructions before it knows they are wrong.
_DAMAGE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    pickle.UnpicklingError,
)


def save(model: Streamer, path: str | Path, *, parameters: bool = True) -> None:
    """Writes a checkpoint, atomically.

    Saving changes nothing: the model, and one that is loaded with the same schedule, go on alike to the
    bit, also in the middle of videos. The file is smallest right after an optimiser step, and between
    videos after `settle`.

    Args:
        model: any model; one that trains keeps gradient sums, counters and Adam's state.
        path: the file to write.
        parameters: write parameters and Adam's state; without them only `restore` can read the file,
            together with that of another replica, which has the same.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "config": model.config.to_dict(),
        "seed": model.levels.seed,
        "precision": model.levels.arithmetic.precision,
        "lanes": len(model.lanes),
        "num_levels": len(model.levels),
        "parameters": model.levels.state_dict() if parameters else {},
        "inputs": model.inputs.total,
        "learner": None if model.learner is None else _learner_state(model.learner, optimizer=parameters),
        "spreads": {level: spread.remembered() for level, spread in model.replay.spreads.items()},
        "rehearsal": None if model.rehearsal is None else model.rehearsal.state(),
        "running": None if model.idle else running_state(model),
    }
    with atomic_write(Path(path)) as temporary:
        torch.save(content, temporary)


def load(
    path: str | Path,
    *,
    train: bool = False,
    lanes: int = 1,
    device: torch.device | str = "cpu",
    precision: Precision | None = None,
    schedule: Schedule | None = None,
) -> Streamer:
    """Reads a checkpoint that `save` wrote.

    A model that trains goes on where it left off, with as many lanes as it had. A model that does not train
    goes on where it left off if it did not train before, and otherwise begins a video.

    Args:
        path: the file.
        train: go on learning; otherwise parameters stay as they are.
        lanes: videos that a model which begins afresh watches at the same time.
        device: where the model computes.
        precision: as for `Streamer`; by default the precision in which the checkpoint's model computed.
        schedule: as for `Streamer`.

    Raises:
        CheckpointError: the file cannot be read, is no checkpoint of this project, or holds no learner
            although `train` asks for it.
    """
    content = read(path)
    try:
        config = config_from_dict(StreamerConfig, content["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path}: was written with another version's configuration: {error}") from error
    goes_on = train == (content.get("learner") is not None)
    if train and not goes_on:
        raise CheckpointError(f"{path}: holds no learner to go on with: load it with train=False")
    stored: Precision = content["precision"]
    model = Streamer(
        config,
        lanes=content["lanes"] if goes_on else lanes,
        seed=content["seed"],
        train=train,
        device=device,
        precision=precision or stored,
        schedule=schedule,
    )
    restore(model, content, path, running=goes_on)
    return model


def restore(
    model: Streamer,
    content: dict[str, Any],
    path: str | Path,
    *,
    shared: dict[str, Any] | None = None,
    running: bool = True,
) -> None:
    """Lets a fresh model of the same configuration go on from a checkpoint.

    Args:
        model: trains if and only if the checkpoint's model did, or the checkpoint's learner is left alone.
        content: what `read` returned.
        path: where it came from, for error messages.
        shared: checkpoint of another replica with the parameters, where `content` has none.
        running: go on in the middle of the checkpoint's videos; needs as many lanes as it has. Otherwise
            all lanes begin a video, and gradients that were summed and past losses are left out.

    Raises:
        CheckpointError: it does not fit the model, or its parts do not fit each other.
    """
    restore_parameters(model, shared or content, path)
    model.inputs.total = list(content["inputs"])
    try:
        if model.learner is not None:
            _restore_learner(model.learner, content["learner"], (shared or content)["learner"], running)
        for level, spread in content.get("spreads", {}).items():
            model.replay.spread(level).recall(spread)
        if running and model.rehearsal is not None:
            model.rehearsal.restore(content["rehearsal"])
        if running and content.get("running") is not None:
            restore_running(model, content["running"])
    except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: is damaged, its parts do not fit each other: {error}") from error


def restore_parameters(model: Streamer, content: dict[str, Any], path: str | Path) -> None:
    """Gives a fresh model of the same configuration the levels and parameters of a checkpoint.

    Args:
        model: is grown to as many levels.
        content: what `read` returned.
        path: where it came from, for the error message.

    Raises:
        CheckpointError: the parameters do not fit the model.
    """
    if not len(model.levels) <= content["num_levels"] <= model.config.learned_levels:
        raise CheckpointError(
            f"{path}: has {content['num_levels']} levels, but the model's configuration allows "
            f"{len(model.levels)} to {model.config.learned_levels}"
        )
    while len(model.levels) < content["num_levels"]:
        model.grow()
    try:
        model.levels.load_state_dict(content["parameters"])
    except RuntimeError as error:
        raise CheckpointError(f"{path}: its parameters do not fit the model's configuration") from error
    model.levels.parameters_changed()


def write_parameters(content: dict[str, Any], path: str | Path) -> None:
    """Writes a checkpoint without its learner and its videos in the middle, atomically.

    It is a third as large, and all that a model needs that does not learn.

    Args:
        content: what `read` returned.
        path: the file to write.
    """
    with atomic_write(Path(path)) as temporary:
        torch.save({**content, "learner": None, "rehearsal": None, "running": None}, temporary)


def read(path: str | Path, *, mapped: bool = False) -> dict[str, Any]:
    """The content of a checkpoint, as `save` wrote it.

    Args:
        path: the file.
        mapped: as for `load_content`.

    Raises:
        CheckpointError: the file cannot be read or is no checkpoint of this project.
    """
    content = load_content(path, mapped=mapped)
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: not a checkpoint of this project (the release's are read by "
            "streamer.load_release_checkpoint)"
        )
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: checkpoint version {content.get('version')}, this software reads version {VERSION}"
        )
    for entry, kind in _ENTRIES.items():
        if not isinstance(content.get(entry), kind):
            raise CheckpointError(f"{path}: is damaged, its entry `{entry}` is missing or of another type")
    return content


def load_content(path: str | Path, *, mapped: bool = False) -> dict[str, Any]:
    """The dictionary that any `torch.save` wrote, with nothing unpickled but tensors and plain values.

    Args:
        path: the file.
        mapped: leave tensors in the file, which must stay as it is, until they are used.

    Raises:
        CheckpointError: the file cannot be read, or holds no dictionary.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint") from error
    except (IsADirectoryError, PermissionError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path}: not a checkpoint, or a damaged one, or with more in it than tensors and plain values"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds {type(content).__name__}, not a checkpoint")
    return content


def _learner_state(learner: Learner, *, optimizer: bool) -> dict[str, Any]:
    sums = (*learner.f_sums, *learner.p_sums)
    return {
        "optimizer": learner.optimizer.state_dict() if optimizer else None,
        "losses": learner.losses.total,
        "steps": learner.steps,
        # A sum that nothing has been added to is zero.
        "gradients": [gradient_sum.flat if gradient_sum.counter else None for gradient_sum in sums],
        "counters": [gradient_sum.counter for gradient_sum in sums],
    }


def _restore_learner(
    learner: Learner, state: dict[str, Any], shared: dict[str, Any], gradients: bool
) -> None:
    learner.optimizer.load_state_dict(shared["optimizer"])
    learner.losses.total = list(state["losses"])
    learner.steps = state["steps"]
    if not gradients:
        return
    sums = (*learner.f_sums, *learner.p_sums)
    for gradient_sum, flat, counter in zip(sums, state["gradients"], state["counters"], strict=True):
        if flat is not None:
            gradient_sum.flat.copy_(flat)
        gradient_sum.counter = counter
