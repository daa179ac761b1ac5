"""The published release's names: its settings and its checkpoints, in this project's terms."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from streamer.checkpoint import load_content
from streamer.config import DemarcationConfig, LearningConfig, Precision, StreamerConfig, require
from streamer.errors import CheckpointError, ConfigError
from streamer.hierarchy import Hierarchy
from streamer.schedule import Schedule
from streamer.streamer import Streamer

_KEYS = {"model_args", "model_snippet_size", "num_layers", "weights"}
_MODES: dict[str, Literal["fixed", "accumulate", "average"]] = {
    "fixed": "fixed",
    "accum": "accumulate",
    "average": "average",
}


def settings_to_config(settings: Mapping[str, Any], **known: Any) -> StreamerConfig:
    """Translates the release's settings.

    `hgn_reach` is left out, because the release parses it and never reads it; so are settings that have no
    effect there (`force_base_dist` with distance `distance`, the window's with other modes than `average`).

    Args:
        settings: the release's arguments by name; what is missing has the release's default.
        **known: fields of `StreamerConfig` that the caller knows better.

    Raises:
        ConfigError: the settings make no valid configuration.
    """
    distance = settings.get("distance_mode", "similarity")
    stored_mode = settings.get("demarcation_mode", "average")
    require(
        stored_mode in list(_MODES),
        f"demarcation_mode must be one of {', '.join(_MODES)}, not {stored_mode!r}",
    )
    mode = _MODES[stored_mode]
    if mode == "average":
        demarcation = DemarcationConfig(
            window_size=settings.get("window_size", 50),
            modifier_type=settings.get("modifier_type", "multiply"),
            modifier=settings.get("modifier", 1.0),
        )
    else:
        demarcation = DemarcationConfig(mode=mode, threshold=settings.get("loss_threshold"))
    learning = LearningConfig(
        lr=settings.get("lr", 1e-4),
        alpha=settings.get("alpha", 3),
        optimize_every=settings.get("optimize_every", 100),
        hgn_timescale=settings.get("hgn_timescale", True),
    )
    fields: dict[str, Any] = {
        "feature_dim": settings.get("feature_dim", 1024),
        "max_levels": settings.get("max_layers", 3),
        "initial_levels": settings.get("init_layers", 1),
        "evolve_every": settings.get("evolve_every", 100_000),
        "working_set_size": settings.get("buffer_size", 10),
        "force_fixed_buffer": settings.get("force_fixed_buffer", False),
        "normalize_pixels": settings.get("normalize_imgs", False),
        "distance": distance,
        "force_base_distance": settings.get("force_base_dist", False) and distance == "similarity",
        "demarcation": demarcation,
        "learning": learning,
    }
    return StreamerConfig(**{**fields, **known})


def release_name(level: int, name: str) -> str:
    """The release's name of the parameter `name` (such as `f.cls_token.weight`) of `level`."""
    return "above." * level + name


def release_boundaries(hierarchy: Hierarchy) -> list[list[float]]:
    """Boundaries per level, in seconds, as the release closes them: the end of the video is no boundary.

    Level 0 ends with its last boundary; each level above is closed there too, so that what follows is in no
    event.
    """
    levels = [[event.start_s for event in events] for events in hierarchy.levels]
    last = levels[0][-1]
    return [levels[0], *(level if level[-1] == last else [*level, last] for level in levels[1:])]


def is_release_checkpoint(path: str | Path) -> bool:
    """Whether a checkpoint is one of the release rather than of this project.

    Raises:
        CheckpointError: it cannot be read.
    """
    return _load(path).keys() >= _KEYS


def load_release_checkpoint(
    path: str | Path,
    *,
    train: bool = False,
    lanes: int = 1,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    schedule: Schedule | None = None,
) -> Streamer:
    """Reads a checkpoint of the published release.

    Sizes are taken from the weights, everything else from the stored arguments.

    Args:
        path: a file that the release wrote with `torch.save`; it is read with `weights_only`.
        train: whether the model goes on learning.
        lanes: videos that the model watches at the same time.
        device: where the model computes.
        precision: as for `Streamer`.
        schedule: as for `Streamer`.

    Raises:
        CheckpointError: the file cannot be read, or is no checkpoint of the release.
    """
    content = _read(path)
    weights: dict[str, Tensor] = content["weights"]
    model = Streamer(
        _config(path, content),
        lanes=lanes,
        train=train,
        device=device,
        precision=precision,
        schedule=schedule,
    )
    expected = {
        release_name(index, name): parameter
        for index, level in enumerate(model.levels)
        for name, parameter in level.named_parameters()
    }
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys(), key=str)
        raise CheckpointError(
            f"{path}: {len(odd)} parameters are missing or unknown, the first is {odd[0]}: "
            "is this a checkpoint of the STREAMER release?"
        )
    with torch.no_grad():
        for name, parameter in expected.items():
            if parameter.shape != weights[name].shape:
                raise CheckpointError(
                    f"{path}: parameter {name} has shape {list(weights[name].shape)}, expected "
                    f"{list(parameter.shape)}: is this a checkpoint of the STREAMER release?"
                )
            parameter.copy_(weights[name])
    model.levels.parameters_changed()
    return model


def _load(path: str | Path) -> dict[str, Any]:
    with torch.serialization.safe_globals([argparse.Namespace]):
        return load_content(path)


def _read(path: str | Path) -> dict[str, Any]:
    """The content of a release checkpoint, with `model_args` as a dictionary."""
    content = _load(path)
    if not content.keys() >= _KEYS:
        raise CheckpointError(
            f"{path}: not a checkpoint of the STREAMER release, which holds {', '.join(sorted(_KEYS))}; "
            "checkpoints of this project are read by streamer.load"
        )
    settings, weights = content["model_args"], content["weights"]
    if isinstance(settings, argparse.Namespace):
        settings = vars(settings)
    if not isinstance(settings, dict) or not isinstance(weights, dict):
        raise CheckpointError(f"{path}: `model_args` and `weights` of a release checkpoint are dictionaries")
    if not all(isinstance(weight, Tensor) for weight in weights.values()):
        raise CheckpointError(f"{path}: `weights` of a release checkpoint holds nothing but tensors")
    return {**content, "model_args": settings}


def _config(path: str | Path, content: Mapping[str, Any]) -> StreamerConfig:
    """Sizes from the weights, everything else from the stored arguments."""
    try:
        return settings_to_config(
            {**content["model_args"], "init_layers": content["num_layers"]},
            snippet_size=content["model_snippet_size"],
            **_sizes(content["weights"]),
        )
    except KeyError as error:
        raise CheckpointError(
            f"{path}: has no parameter {error}: is this a checkpoint of the STREAMER release?"
        ) from error
    except ConfigError as error:
        raise CheckpointError(f"{path}: its settings make no model: {error}") from error


def _sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Fields of the configuration that follow from the shapes of level 0's parameters.

    Shapes that no model has give sizes that the parameters will not fit.
    """
    rows, dim = _first_two(weights["f.pos_enc.weight"])
    sizes = {
        "feature_dim": dim,
        "working_set_size": rows,
        "max_levels": _first_two(weights["p.pos_enc.weight"])[0],
    }
    if "f.encoder.fc1.weight" not in weights:
        return {**sizes, "modality": "vectors"}
    channels = tuple(_first_two(weights[f"f.encoder.conv{index}.weight"])[0] for index in range(1, 5))
    features = _first_two(weights["f.encoder.fc1.weight"])[1]
    side = math.isqrt(features // max(channels[-1], 1))
    return {**sizes, "modality": "frames", "channels": channels, "frame_size": 16 * side}


def _first_two(weight: Tensor) -> tuple[int, int]:
    """The first two sizes of a tensor; 0 for those that it lacks."""
    first, second = (*weight.shape, 0, 0)[:2]
    return first, second
