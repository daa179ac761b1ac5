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
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from streamer.config import DemarcationConfig, LearningConfig, StreamerConfig
from streamer.timescales import parse_timescales

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Recipe = Literal["adaptive", "release"]


def adaptive_model() -> StreamerConfig:
    """The default: segments well at once, and several hundred snippets per second on two CPU cores."""
    return StreamerConfig(
        features="comb",
        feature_dim=128,
        frame_size=64,
        residual=True,
        evolve_every=60,
        learning=LearningConfig(lr=1e-3, optimize_every=4, step_level="lowest"),
    )


def release_model() -> StreamerConfig:
    """The published model, with the published defaults."""
    return StreamerConfig()


RECIPES: dict[str, Callable[[], StreamerConfig]] = {"adaptive": adaptive_model, "release": release_model}
DEFAULT: Recipe = "adaptive"


def model_to_change(options: Mapping[str, Any]) -> StreamerConfig:
    """The model of a recipe, as the options find it that change it.

    Args:
        options: those of `streamer train` that are given, by dotted names; the values of other options than
            those named here do not matter, and neither do types.

    Raises:
        ConfigError: `timescales` are none.
    """
    recipe = options.get("recipe", DEFAULT)
    model = RECIPES.get(recipe, RECIPES[DEFAULT])()
    if options.get("model.modality") == "vectors":
        model = replace(model, features=None)
    mode = options.get("model.demarcation.mode", model.demarcation.mode)
    if mode != model.demarcation.mode:
        model = replace(model, demarcation=DemarcationConfig())
    if options.get("timescales") is not None:
        model = with_timescales(model, options["timescales"])
    return model


def with_timescales(model: StreamerConfig, timescales: str) -> StreamerConfig:
    """The model with as many levels as lengths of time are named, and these lengths.

    Raises:
        ConfigError: they are none, or the model's thresholds do not follow.
    """
    parse_timescales([timescales], "--timescales")
    return model


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
