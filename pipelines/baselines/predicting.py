"""One video through a predictor: from its snippets to its files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from pipelines.baselines.change_points import predict_change_points
from pipelines.baselines.clustering import predict_clustering
from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.novelty import predict_novelty
from pipelines.baselines.prediction import Annotated, Prediction, WatchedVideo, make_hierarchy
from pipelines.baselines.scenes import predict_scenes
from pipelines.catalog import CatalogEntry
from pipelines.decoding import DecodingSettings, part_rows
from pipelines.library import EndedVideo
from pipelines.run_folder import RunFolder
from pipelines.snippets import SnippetFormat, VideoEnd, VideoPart, read_rows
from pipelines.store import HierarchyStore
from streamer.errors import VideoError
from streamer.features import centred, frame_features

FRAME_SIZE = 128  # height and width of the frames of which features are made
DURATION_TOLERANCE = 1e-9  # of a snippet: a video longer than its snippets by less has no more

LOOKING: Mapping[str, Callable[[WatchedVideo, BaselineConfig], Prediction]] = {
    "novelty": predict_novelty,
    "change_points": predict_change_points,
    "clustering": predict_clustering,
    "scenes": predict_scenes,
}
"""Predictors that look at features or frames."""


@dataclass(frozen=True)
class BaselineTask:
    """What is to be done with every video.

    Attributes:
        config: the predictor and its options.
        out: folder of the run.
        metadata: goes into every hierarchy's schema metadata.
        annotated: for `uniform`, events of the level of annotation whose number it is told.
    """

    config: BaselineConfig
    out: str
    metadata: Mapping[str, str]
    annotated: Annotated = field(default_factory=dict)

    def store(self) -> HierarchyStore:
        """Takes finished hierarchies."""
        return HierarchyStore(RunFolder(self.out), self.metadata, signals=self.config.name == "novelty")


def watch_video(
    entry: CatalogEntry, task: BaselineTask, store: HierarchyStore, tell: Callable[[int], None]
) -> EndedVideo:
    """Reads the snippets of a video, cuts it, and writes its hierarchy.

    Args:
        entry: the video.
        task: what is to be done.
        store: takes the hierarchy.
        tell: is told how many snippets have been read.

    Returns:
        How the video ended.

    Raises:
        CacheError: the cache of snippets cannot be used.
    """
    config = task.config
    form = SnippetFormat(
        "vectors" if entry.kind == "vectors" else "frames",
        config.snippet_size,
        FRAME_SIZE,
        entry.dim or 0,
        config.decoder,
    )
    settings = DecodingSettings(timeout_s=config.decode_timeout_s, cache=config.cache)
    features: list[np.ndarray] = []
    for item in read_rows(part_rows(VideoPart(entry), form, settings), form):
        if isinstance(item, VideoEnd):
            return _finish(entry, item, features, task, store)
        if not config.blind:
            features.append(item.data if entry.kind == "vectors" else frame_features(item.data))
        tell(item.index + len(item.data))
    raise AssertionError(f"{entry.video_id}: the rows ended without saying how")


def _finish(
    entry: CatalogEntry,
    end: VideoEnd,
    features: list[np.ndarray],
    task: BaselineTask,
    store: HierarchyStore,
) -> EndedVideo:
    if end.status == "done":
        watched = centred(np.concatenate(features)) if features else None
        video = WatchedVideo(entry, end.duration_s, end.snippets, task.config.snippet_size, watched)
        try:
            return cut_video(video, end, task, store)
        except VideoError as error:
            end = replace(end, status="failed", reason=error.reason)
    store.discard(entry.video_id)
    return EndedVideo(end, [])


def take_duration(entry: CatalogEntry, task: BaselineTask, store: HierarchyStore) -> EndedVideo:
    """Cuts a video of which only the duration is known, and writes its hierarchy."""
    assert entry.duration_s is not None, entry.video_id
    size = task.config.snippet_size
    snippets = max(1, math.ceil(entry.duration_s / size - DURATION_TOLERANCE))
    video = WatchedVideo(entry, entry.duration_s, snippets, size)
    return cut_video(video, VideoEnd(entry.video_id, snippets, entry.duration_s, "done", None), task, store)


def cut_video(video: WatchedVideo, end: VideoEnd, task: BaselineTask, store: HierarchyStore) -> EndedVideo:
    """Cuts a video and writes its hierarchy.

    Raises:
        VideoError: the predictor cannot read it.
    """
    if task.config.blind:
        from pipelines.baselines.blind import predict_blind  # a second, of which the others have no use

        prediction = predict_blind(video, task.config, task.annotated)
    else:
        prediction = LOOKING[task.config.name](video, task.config)
    hierarchy = make_hierarchy(video, prediction)
    store.write(hierarchy, prediction.signals, end.reason)
    return EndedVideo(end, [len(level) for level in hierarchy.levels])
