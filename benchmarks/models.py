"""The two sizes of model that are measured."""

from __future__ import annotations

from dataclasses import replace

from pipelines.config import laptop_model
from streamer.config import StreamerConfig


def small_model() -> StreamerConfig:
    """The default of `streamer train`, grown up: all levels exist from the start."""
    config = laptop_model()
    return replace(config, initial_levels=config.max_levels)


def paper_model() -> StreamerConfig:
    """The configuration of the publication (EPIC-KITCHENS), grown up."""
    return StreamerConfig(
        feature_dim=1024,
        frame_size=128,
        channels=(32, 64, 256, 1024),
        working_set_size=20,
        force_fixed_buffer=True,
        initial_levels=3,
    )
