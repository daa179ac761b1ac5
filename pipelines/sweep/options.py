"""Options of `streamer train` by their dotted names: their types, their values as YAML gives them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pipelines.config import TrainConfig
from pipelines.options import describe, option_types
from pipelines.recipes import model_values
from pipelines.resumption import absolute_inputs
from pipelines.run_folder import checkpoint_of
from streamer.checks import fits, require
from streamer.config import StreamerConfig, config_from_dict, nearest
from streamer.extractors import located as located_features

TRAIN_OPTIONS = option_types(TrainConfig)
FEATURES = "model.features"


def flat_options(
    values: Mapping[Any, Any], types: Mapping[str, Any], where: str = "", group: str = ""
) -> dict[str, Any]:
    """Checks nested values and puts them under dotted names.

    Args:
        values: as YAML gives them.
        types: of all options.
        where: what stands before an option's name in messages.
        group: the option whose options these are, with a dot at its end.

    Raises:
        ConfigError: an unknown name, or a value of another type.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{group}{key}"
        near = nearest(where + name, [where + known for known in types])
        require(name in types, f"unknown key {where}{name}{near}")
        converted = convert(value, types[name], where + name)
        if dataclasses.is_dataclass(types[name]):
            flat |= flat_options(converted, types, where, f"{name}.")
        else:
            flat[name] = converted
    return flat


def convert(value: Any, kind: Any, name: str) -> Any:
    """A value as its option takes it.

    YAML's `1e-3` is text, and its lists are tuples here.

    Raises:
        ConfigError: it is of another type.
    """
    parts = get_args(kind)
    if is_number(kind):
        value = _number(value)
    if get_origin(kind) is list:
        fitting = isinstance(value, list) and all(fits(item, parts[0]) for item in value)
    elif dataclasses.is_dataclass(kind) or get_origin(kind) is Mapping:
        fitting = isinstance(value, Mapping)
    else:
        value = tuple(value) if isinstance(value, list) else value
        fitting = fits(value, kind)
    require(fitting, f"{name} must be {describe(kind)}, not {value!r}")
    return value


def is_number(kind: Any) -> bool:
    """Whether an option takes numbers that need not be whole."""
    return kind is float or (float in get_args(kind) and get_origin(kind) is not tuple)


def _number(value: Any) -> Any:
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            return float(value)
    return value


def train_config(options: Mapping[str, Any], out: Path) -> TrainConfig:
    """The training that options ask for, as its command line makes it of them.

    Args:
        options: values by dotted name; what is not there has the default of the recipe.
        out: folder of the run.

    Raises:
        ConfigError: values that are out of range or inconsistent.
        RunFolderError: `init` names a run that has no final checkpoint.
    """
    plain = {name: value for name, value in options.items() if "." not in name}
    values = {**model_values(options), **options}
    model = nested({name: value for name, value in values.items() if name.startswith("model.")})
    return TrainConfig(out=str(out), model=config_from_dict(StreamerConfig, model["model"]), **plain)


def located(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same options with absolute paths, so that they mean the same in every folder."""
    found = dict(options)
    found["inputs"] = absolute_inputs(found["inputs"])
    if found.get("init") is not None:
        found["init"] = str(checkpoint_of(found["init"]))
    if found.get(FEATURES) is not None:
        found[FEATURES] = located_features(found[FEATURES])
    for name in ("truth", "cache"):
        if found.get(name) is not None:
            found[name] = str(Path(found[name]).absolute())
    return found


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a configuration file holds them: nested, tuples as lists."""
    tree: dict[str, Any] = {}
    for name, value in options.items():
        *groups, leaf = name.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[leaf] = list(value) if isinstance(value, tuple) else value
    return tree
