"""STREAMER: hierarchies of events from video, learned while it streams by.

Source: Mounir, Vijayaraghavan, Sarkar, "STREAMER: Streaming Representation Learning and Event Segmentation
in a Hierarchical Manner", NeurIPS 2023.
"""

from streamer import metrics
from streamer.checkpoint import load, save
from streamer.config import DemarcationConfig, LearningConfig, StreamerConfig
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
    "save",
    "segment",
]
