"""The models that are measured."""

from __future__ import annotations

from streamer.config import LearningConfig, StreamerConfig


def small_model() -> StreamerConfig:
    """The published model for laptops, grown up: all levels exist from the start."""
    return StreamerConfig(
        feature_dim=128,
        frame_size=64,
        channels=(16, 32, 64, 128),
        initial_levels=3,
        evolve_every=60,
        force_fixed_buffer=True,
        learning=LearningConfig(lr=1e-3, optimize_every=5),
    )


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
