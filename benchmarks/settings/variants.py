"""The default recipe, and what of it is changed, one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.recipes import model_values
from streamer.config import StreamerConfig, config_from_dict

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "no recall": {"recall": 0},
    "no shortcut": {"shortcut": False},
    "neither recall nor shortcut": {"recall": 0, "shortcut": False},
    "recall alone, nothing learned": {"shortcut": False, "learning.lr": 1e-12},
    "no mixing": {"mixing": False},
    "no mixing, no shortcut": {"mixing": False, "shortcut": False},
    "no residual": {"residual": False},
    "not centred": {"center": False},
    "no replay": {"learning.replay": 0},
    "replay from all": {"learning.replay_from": "all"},
    "signals lost after steps": {"learning.keep_predictions": False},
    "steps counted at the highest level": {"learning.step_level": "highest"},
    "a step every 16 losses": {"learning.optimize_every": 16},
    "relative signals": {"demarcation.relative": True},
    "published threshold": {"demarcation.mode": "average"},
    "least length 1": {"demarcation.least_length": 1},
    "learned upper levels": {
        "upper_levels": "learned",
        "max_levels": 3,
        "evolve_every": 120,
    },
    "D 128": {"feature_dim": 128},
    "D 704": {"feature_dim": 704},
    "pixels": {"features": None, "feature_dim": 128, "channels": (16, 32, 64, 128)},
}
"""What differs from the default recipe, as fields of the model."""


def variant_config(changes: Mapping[str, Any]) -> StreamerConfig:
    """The default recipe with some fields changed; what these leave without effect gives way."""
    options = {f"model.{name}": value for name, value in changes.items()}
    given = {**model_values(options), **options}
    nested: dict[str, Any] = {}
    for name, value in given.items():
        *path, last = name.split(".")
        place = nested
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return config_from_dict(StreamerConfig, nested["model"])
