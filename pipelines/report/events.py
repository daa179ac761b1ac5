"""The events of one video as columns, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.run_folder import RunFolder
from streamer.hierarchy import Event, Hierarchy


@dataclass(frozen=True)
class LevelEvents:
    """The events of one level, in time order.

    Attributes:
        starts_s: seconds after the first frame, float64 [n].
        ends_s: seconds after the first frame, float64 [n].
        mean_signals: float64 [n], nan where unknown.
        boundary_signals: float64 [n], nan where unknown.
        units: representations of length 1, float32 [n, D]; a row of nan where there is none.
    """

    starts_s: np.ndarray
    ends_s: np.ndarray
    mean_signals: np.ndarray
    boundary_signals: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class VideoEvents:
    """The events of one video.

    Attributes:
        duration_s: its length.
        snippet_size: seconds per snippet.
        snippets: how many there are.
        levels: finest first.
    """

    duration_s: float
    snippet_size: float
    snippets: int
    levels: Sequence[LevelEvents]


def read_events(folder: RunFolder, video_id: str) -> VideoEvents:
    """Reads the hierarchy of a video.

    Raises:
        HierarchyError: it is missing or damaged.
    """
    hierarchy = Hierarchy.from_parquet(folder.hierarchy_of(video_id))
    assert hierarchy.dim is not None, "a table of events tells its width"
    levels = [_level(events, hierarchy.dim) for events in hierarchy.levels]
    return VideoEvents(hierarchy.duration_s, hierarchy.snippet_size, hierarchy.snippets, levels)


def _level(events: Sequence[Event], dim: int) -> LevelEvents:
    vectors = np.full((len(events), dim), np.nan, np.float32)
    for row, event in zip(vectors, events, strict=True):
        if event.representation is not None:
            row[:] = event.representation
    return LevelEvents(
        starts_s=np.array([event.start_s for event in events], np.float64),
        ends_s=np.array([event.end_s for event in events], np.float64),
        mean_signals=np.array([event.mean_signal for event in events], np.float64),
        boundary_signals=np.array([event.boundary_signal for event in events], np.float64),
        units=_units(vectors),
    )


def _units(vectors: np.ndarray) -> np.ndarray:
    """Scales rows to length 1; those without a direction become nan."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.full_like(vectors, np.nan), where=lengths > 0)
