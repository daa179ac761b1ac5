"""Recipes: models to start from, whose settings can be changed one by one.

- `adaptive`: good from the first minute of the first video on. Level 0 sees frozen features of frames and
  predicts their change; thresholds follow the signal; upper levels are merged from the finest events.
- `release`: the published model, to rounding.

A recipe's settings are those of its model. Where an option takes away what others of the recipe work on,
those give way to their defaults, so that no setting without effect is left that nobody asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from streamer.config import DemarcationConfig, LearningConfig, StreamerConfig
from streamer.demarcation_config import ADAPTIVE_MODES
from streamer.timescales import parse_timescales

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Recipe = Literal["adaptive", "release"]
NOTHING = (None, "null", "None")
"""How `no value` is written, in files and on the command line."""
_OF_REPLAY = ("model.learning.replay_batch", "model.learning.replay_from")
_OF_RESIDUAL = ("model.shortcut", "model.mixing", "model.recall")


def adaptive_model() -> StreamerConfig:
    """The default: good events at once, at hundreds of snippets per second on a CPU core."""
    return StreamerConfig(
        features="comb",
        feature_dim=256,
        frame_size=64,
        max_levels=5,
        residual=True,
        center=True,
        shortcut=True,
        mixing=True,
        recall=1000,
        # Fine on purpose: merging joins what does not differ.
        demarcation=DemarcationConfig(mode="deviation", window_size=20, deviations=0.25, least_length=2),
        upper_levels="merged",
        learning=LearningConfig(
            lr=1e-3,
            optimize_every=4,
            step_level="lowest",
            keep_predictions=True,
            replay=1000,
            replay_batch=16,
            replay_from="recent",
        ),
    )


def release_model() -> StreamerConfig:
    """The published model, with the published defaults."""
    return StreamerConfig()


RECIPES: dict[str, Callable[[], StreamerConfig]] = {"adaptive": adaptive_model, "release": release_model}
DEFAULT: Recipe = "adaptive"


def model_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe says of the model, beside the options that change it.

    Args:
        options: those of `streamer train` that are given, by dotted names, with values as text or as they
            are.

    Returns:
        A value for every option of the model, by dotted names. What the options themselves say of the model
        is not among them, but for what `timescales` means.

    Raises:
        ConfigError: `timescales` are none.
    """
    model = RECIPES.get(str(options.get("recipe", DEFAULT)), RECIPES[DEFAULT])()
    values, default = flat_settings(model, "model."), flat_settings(StreamerConfig(), "model.")
    values |= {name: default[name] for name in _giving_way(options, values)}
    if options.get("timescales") not in NOTHING:
        timescales = parse_timescales([options["timescales"]], "--timescales")
        values |= {"model.timescales": timescales, "model.max_levels": len(timescales)}
    return values


def _giving_way(options: Mapping[str, Any], values: Mapping[str, Any]) -> set[str]:
    """Settings of a recipe that have no effect beside the options, or contradict them."""
    rule = "model.demarcation."
    names: set[str] = set()
    mode = options.get(f"{rule}mode", values[f"{rule}mode"])
    if mode != values[f"{rule}mode"]:
        shared = ("window_size", "least_length", "relative") if mode in ADAPTIVE_MODES else ()
        names |= {name for name in values if name.startswith(rule) and name.removeprefix(rule) not in shared}
    if any(options.get(name) not in NOTHING for name in ("timescales", "model.timescales")):
        names |= {f"{rule}deviations", f"{rule}share", "model.prices"}
    if options.get("model.upper_levels") == "learned":
        names |= {"model.prices"}
    if options.get("model.modality") == "vectors":
        names |= {"model.features"}
    elif options.get("model.features", values["model.features"]) in NOTHING:  # pixels
        names |= {"model.center", "model.learning.replay", *_OF_REPLAY, *_OF_RESIDUAL}
    if _is_off(options, "model.learning.replay"):
        names |= {*_OF_REPLAY}
    if _is_off(options, "model.residual"):
        names |= {*_OF_RESIDUAL}
    if _is_off(options, "model.mixing"):
        names |= {"model.recall"}
    return names


def _is_off(options: Mapping[str, Any], name: str) -> bool:
    return str(options.get(name)).lower() in ("false", "0")


def flat_settings(part: DataclassInstance, prefix: str) -> dict[str, Any]:
    """Values of all fields of a configuration and of its parts, by dotted names."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            values |= flat_settings(value, f"{prefix}{field.name}.")
        else:
            values[prefix + field.name] = value
    return values
