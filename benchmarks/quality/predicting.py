"""Whose hierarchies are compared: runs, floors, detectors, and the baselines of `streamer baseline`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.detectors import DETECTORS
from benchmarks.quality.watching import SNIPPET_S, Watched
from pipelines.baselines.config import BaselineConfig, PredictorName
from pipelines.baselines.predicting import LOOKING
from pipelines.evaluation.predictors import Levels, floor_hierarchies
from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from streamer.config import DemarcationConfig
from streamer.demarcation import event_starts, make_demarcation
from streamer.errors import StreamerError
from streamer.hierarchy import Hierarchy
from streamer.signals import Signal

BASELINES: tuple[PredictorName, ...] = ("novelty", "change_points", "clustering", "scenes")


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is predicted of a video.

    Attributes:
        levels: events in seconds, finest level first, every level tiling the video.
        worse: per snippet the finest level's signal, higher where it is worse, nan where there is none,
            [T]; None where there are no signals.
    """

    levels: Levels
    worse: np.ndarray | None = None


def floors(watched: Watched, seed: int) -> dict[str, list[Predicted]]:
    """The blind floors; of random ones several draws."""
    counts = sorted((len(events) for events in watched.video.truth.values()), reverse=True)
    drawn = floor_hierarchies(watched.video.video_id, counts, duration=watched.duration_s, seed=seed)
    return {name: [Predicted(levels) for levels in draws] for name, draws in drawn.items()}


def detected(watched: Watched, name: str, demarcation: DemarcationConfig) -> Predicted:
    """One level: where a signal of `DETECTORS` is bad by the model's own rule."""
    worse = DETECTORS[name](watched)
    starts = event_starts(worse[1:].tolist(), make_demarcation(demarcation, "distance"))
    return Predicted([tiling([start * SNIPPET_S for start in starts], watched.duration_s)], worse)


def baseline(watched: Watched, name: PredictorName, lengths: Sequence[float] | None) -> Predicted:
    """A baseline as `streamer baseline` runs it.

    Args:
        watched: the video.
        name: of `BASELINES`.
        lengths: wanted mean lengths of events in seconds; None for its own.
    """
    takes = lengths is not None and name != "novelty"
    config = BaselineConfig(name, inputs=["-"], out="-", lengths=list(lengths or ()) if takes else None)
    prediction = LOOKING[name](watched.for_baselines(), config)
    levels = [tiling(boundaries, watched.duration_s) for boundaries in prediction.boundaries]
    worse = np.full(len(watched.features), np.nan)
    for signal in prediction.signals:
        if signal.level == 0:
            worse[signal.index] = -signal.value
    return Predicted(levels, worse if prediction.signals else None)


def of_run(folder: Path, video_id: str) -> Predicted:
    """What a run has stored of a video.

    Raises:
        StreamerError: it has not segmented the video.
    """
    run = RunFolder(folder)
    if not run.hierarchy_of(video_id).exists():
        raise StreamerError(f"{folder}: has no hierarchy of {video_id}: run it on the same material")
    hierarchy = Hierarchy.from_parquet(run.hierarchy_of(video_id))
    table = read_signals(run, video_id)
    if table is None:
        return of_hierarchy(hierarchy, None, distance=False)
    lowest = table.to_pandas().query("level == 0")
    values = zip(lowest["snippet"].tolist(), lowest["signal"].tolist(), strict=True)
    signals = [Signal(snippet, 0, value, False) for snippet, value in values]
    return of_hierarchy(hierarchy, signals, distance=_measures_distance(run.read_run()))


def of_hierarchy(hierarchy: Hierarchy, signals: Sequence[Signal] | None, *, distance: bool) -> Predicted:
    """What a model has found in a video.

    Args:
        hierarchy: its events.
        signals: of the finest level; None where there are none.
        distance: whether these are errors, not similarities.
    """
    levels = [hierarchy.segments(level) for level in range(hierarchy.num_levels)]
    if signals is None:
        return Predicted(levels)
    worse = np.full(math.ceil(hierarchy.duration_s / hierarchy.snippet_size) + 1, np.nan)
    for signal in signals:
        worse[signal.index] = signal.value if distance else -signal.value
    return Predicted(levels, worse)


def tiling(boundaries: Sequence[float], duration_s: float) -> list[tuple[float, float]]:
    """Events between boundaries, from the start of the video to its end."""
    edges = [0.0, *(time for time in boundaries if 0 < time < duration_s), duration_s]
    return list(itertools.pairwise(edges))


def _measures_distance(run: Mapping[str, object]) -> bool:
    settings = run.get("config")
    model = settings.get("model") if isinstance(settings, Mapping) else None
    if not isinstance(model, Mapping):
        return False
    return bool(model.get("distance") == "distance" or model.get("force_base_distance"))
