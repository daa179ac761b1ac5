"""The published release's names: its settings and its checkpoints, in this project's terms."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamer.checkpoint import load_content
from streamer.config import DemarcationConfig, LearningConfig, StreamerConfig
from streamer.errors import CheckpointError
from streamer.hierarchy import Hierarchy
from streamer.streamer import Streamer

_KEYS = {"model_args", "model_snippet_size", "num_layers", "weights"}
_MODES = {"fixed": "fixed", "accum": "accumulate", "average": "average"}


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
    mode = _MODES[settings.get("demarcation_mode", "average")]
    if mode == "average":
        demarcation = DemarcationConfig(
            window_size=settings.get("window_size", 50),
            modifier_type=settings.get("modifier_type", "multiply"),
            modifier=settings.get("modifier", 1.0),
        )
    else:
        demarcation = DemarcationConfig(mode=mode, threshold=settings["loss_threshold"])
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
    return _KEYS <= _load(path).keys()


def load_release_checkpoint(
    path: str | Path, *, train: bool = False, device: torch.device | str = "cpu"
) -> Streamer:
    """Reads a checkpoint of the published release.

    Sizes are taken from the weights, everything else from the stored arguments.

    Args:
        path: a file that the release wrote with `torch.save`; it is read with `weights_only`.
        train: whether the model goes on learning.
        device: where the model computes.

    Raises:
        CheckpointError: the file cannot be read, or is no checkpoint of the release.
    """
    content = _read(path)
    weights: dict[str, Tensor] = content["weights"]
    num_levels = int(content["num_layers"])
    stored = content["model_args"]
    settings = dict(vars(stored)) if isinstance(stored, argparse.Namespace) else dict(stored)
    config = settings_to_config(
        {**settings, "init_layers": num_levels},
        snippet_size=float(content["model_snippet_size"]),
        **_sizes(path, weights),
    )
    model = Streamer(config, train=train, device=device)
    expected = {
        release_name(index, name): parameter
        for index, level in enumerate(model.levels)
        for name, parameter in level.named_parameters()
    }
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys())
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
    return model


def _load(path: str | Path) -> dict[str, Any]:
    with torch.serialization.safe_globals([argparse.Namespace]):
        return load_content(path)


def _read(path: str | Path) -> dict[str, Any]:
    content = _load(path)
    if not content.keys() >= _KEYS:
        raise CheckpointError(
            f"{path}: not a checkpoint of the STREAMER release, which holds {', '.join(sorted(_KEYS))}; "
            "checkpoints of this project are read by streamer.load"
        )
    return content


def _sizes(path: str | Path, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Fields of the configuration that follow from the shapes of level 0's parameters."""
    try:
        sizes: dict[str, Any] = {
            "feature_dim": weights["f.pos_enc.weight"].shape[1],
            "working_set_size": weights["f.pos_enc.weight"].shape[0],
            "max_levels": weights["p.pos_enc.weight"].shape[0],
        }
    except KeyError as error:
        raise CheckpointError(f"{path}: has no parameter {error}: not a checkpoint of the STREAMER release") from error
    if "f.encoder.fc1.weight" not in weights:
        return {**sizes, "modality": "vectors"}
    channels = tuple(weights[f"f.encoder.conv{index}.weight"].shape[0] for index in range(1, 5))
    side = math.isqrt(weights["f.encoder.fc1.weight"].shape[1] // channels[-1])
    return {**sizes, "modality": "frames", "channels": channels, "frame_size": 16 * side}
