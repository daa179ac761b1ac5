"""Pictures of single videos of a run: their hierarchy beside the annotation, and their signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines import figures
from pipelines.annotations import Truth
from pipelines.run_folder import RunFolder
from pipelines.store import read_signals
from streamer.atomic import file_name
from streamer.hierarchy import Hierarchy

FIGURED_VIDEOS = 6
"""How many videos of a run get pictures."""


def draw_figures(folder: RunFolder, video_ids: Sequence[str], truth: Truth | None) -> list[Path]:
    """Draws timeline and signals of some videos into the run's folder.

    Returns:
        The files.
    """
    signal_name = _signal_name(folder.read_run().get("config", {}))
    folder.figures.mkdir(exist_ok=True)
    paths = []
    for video_id in video_ids:
        hierarchy = Hierarchy.from_parquet(folder.hierarchy_of(video_id))
        lanes: Mapping[str, Any] = truth.videos.get(video_id, {}) if truth is not None else {}
        name = file_name(video_id)
        paths.append(folder.figures / f"{name}.timeline.png")
        figures.save(figures.timeline_figure(hierarchy, lanes), paths[-1])
        signals = read_signals(folder, video_id)
        if signals is not None:
            paths.append(folder.figures / f"{name}.signal.png")
            figure = figures.signal_figure(hierarchy, signals, lanes, signal_name=signal_name)
            figures.save(figure, paths[-1])
    return paths


def _signal_name(config: Mapping[str, Any]) -> str:
    """What the signals of a run are, for the axes of its figures."""
    model = config.get("model")
    # Novelty has no model; the other baselines have no signals.
    options = model if isinstance(model, Mapping) else config
    distance = options.get("distance")
    if distance is None or options.get("force_base_distance"):
        return "signal"  # of a baseline; or an error at level 0, a similarity above
    return "similarity" if distance == "similarity" else "error"
