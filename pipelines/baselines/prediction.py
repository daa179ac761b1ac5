"""What predictors are given of a video, what they make of it, and the hierarchy that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.catalog import CatalogEntry
from streamer.hierarchy import Event, Hierarchy
from streamer.signals import Signal

UNKNOWN_DIM = 1
"""Width of the column of representations where a predictor makes none: Parquet needs one."""

Annotated = Mapping[str, Sequence[tuple[float, float, str]]]
"""Per video the events of one level of annotation: start and end in seconds, and the label."""

GRID_TOLERANCE = 1e-6  # of a snippet: a boundary this near to a snippet's time is there


@dataclass(frozen=True)
class WatchedVideo:
    """A video, watched to its end.

    Attributes:
        entry: the video, as the catalog knows it.
        duration_s: seconds from the first frame to the end.
        snippets: how many it has.
        snippet_size: seconds per snippet.
        features: of each snippet, centred, float32 [snippets, D]; None for those who do not look.
    """

    entry: CatalogEntry
    duration_s: float
    snippets: int
    snippet_size: float
    features: np.ndarray | None = None

    @property
    def video_id(self) -> str:
        """The id of the video."""
        return self.entry.video_id

    @property
    def centred(self) -> np.ndarray:
        """The features, for those who do look."""
        assert self.features is not None, self.video_id
        return self.features

    def events_of(self, length_s: float) -> int:
        """How many events of a wanted mean length the video has: at least 1, at most one per snippet."""
        return max(1, min(self.snippets, round(self.duration_s / length_s)))


@dataclass(frozen=True)
class Prediction:
    """Where a predictor cuts a video.

    Attributes:
        boundaries: per level, finest first, the seconds at which one event ends and the next begins; those of
            a level are among those of the level below.
        signals: what it measured, level by level, in order of the snippets.
    """

    boundaries: Sequence[Sequence[float]]
    signals: Sequence[Signal] = field(default=())


def at_snippets(video: WatchedVideo, starts: Sequence[Sequence[int]]) -> list[list[float]]:
    """Seconds of boundaries that are given as the snippets with which the next event begins."""
    return [[int(start) * video.snippet_size for start in level] for level in starts]


def make_hierarchy(video: WatchedVideo, prediction: Prediction) -> Hierarchy:
    """The events that follow from boundaries.

    An event's representation is the mean of the features of its snippets; there is none where it has no
    snippet, or the predictor has no features. Its mean signal is that of the signals measured from its start
    up to before its end; the one at its end is what ended it.
    """
    levels = []
    for level, boundaries in enumerate(prediction.boundaries):
        edges = [0.0, *boundaries, video.duration_s]
        snippets = _first_snippets(edges, video)
        measured = {signal.index: signal.value for signal in prediction.signals if signal.level == level}
        spans = zip(edges, edges[1:], snippets, snippets[1:], strict=False)
        levels.append(
            [
                Event(
                    start_s,
                    end_s,
                    _mean([measured[k] for k in range(first, stop) if k in measured]),
                    measured.get(stop) if end_s < video.duration_s else None,
                    _representation(video.features, first, stop),
                )
                for start_s, end_s, first, stop in spans
            ]
        )
    return Hierarchy(
        video_id=video.video_id,
        duration_s=video.duration_s,
        snippet_size=video.snippet_size,
        levels=levels,
        snippets=video.snippets,
        dim=UNKNOWN_DIM if video.features is None else video.features.shape[1],
    )


def _first_snippets(edges: Sequence[float], video: WatchedVideo) -> list[int]:
    """The first snippet at or after each of some times."""
    steps = np.asarray(edges) / video.snippet_size
    return np.clip(np.ceil(steps - GRID_TOLERANCE), 0, video.snippets).astype(int).tolist()


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _representation(features: np.ndarray | None, first: int, stop: int) -> np.ndarray | None:
    if features is None or first == stop:
        return None
    return features[first:stop].mean(axis=0, dtype=np.float64).astype(np.float32)
