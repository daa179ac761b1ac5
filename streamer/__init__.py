"""STREAMER: hierarchies of events from video, learned while it streams by.

Source: Mounir, Vijayaraghavan, Sarkar, "STREAMER: Streaming Representation Learning and Event Segmentation
in a Hierarchical Manner", NeurIPS 2023.

Names are imported when they are first used: processes that only decode, and the command line's help, go
without torch, which takes seconds and 300 MB.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamer import metrics
    from streamer.checkpoint import load, save
    from streamer.config import DemarcationConfig, LearningConfig, StreamerConfig
    from streamer.extractors import open_extractor
    from streamer.hierarchy import Event, Hierarchy
    from streamer.release import load_release_checkpoint
    from streamer.segmentation import segment
    from streamer.streamer import Streamer

__all__ = [
    "DemarcationConfig",
    "Event",
    "Hierarchy",
    "LearningConfig",
    "Streamer",
    "StreamerConfig",
    "load",
    "load_release_checkpoint",
    "metrics",
    "open_extractor",
    "save",
    "segment",
]

_MODULES = {
    "DemarcationConfig": "config",
    "Event": "hierarchy",
    "Hierarchy": "hierarchy",
    "LearningConfig": "config",
    "Streamer": "streamer",
    "StreamerConfig": "config",
    "load": "checkpoint",
    "load_release_checkpoint": "release",
    "open_extractor": "extractors",
    "save": "checkpoint",
    "segment": "segmentation",
}


def __getattr__(name: str) -> Any:
    """Imports a public name from the module that defines it."""
    if name == "metrics":
        return import_module("streamer.metrics")
    if name not in _MODULES:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    return getattr(import_module(f"streamer.{_MODULES[name]}"), name)
