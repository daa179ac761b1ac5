"""Videos decoded once: small frames and features of every snippet, kept in files beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.material import KnownVideo
from pipelines.baselines.prediction import WatchedVideo
from pipelines.catalog import CatalogEntry
from streamer.atomic import atomic_write
from streamer.features import centred, frame_features
from streamer.video import SnippetGrid, open_snippets

SNIPPET_S = 0.5
SMALL, LARGE = 64, 128
"""Sides of the frames whose pixels are compared, and of those of which features are made."""


@dataclass(frozen=True, eq=False)
class Watched:
    """What is seen of a video.

    Attributes:
        video: which.
        duration_s: measured.
        frames: of every snippet, uint8 [T, `SMALL`, `SMALL`, 3].
        features: of every snippet, float32 [T, D].
    """

    video: KnownVideo
    duration_s: float
    frames: np.ndarray
    features: np.ndarray

    def for_baselines(self) -> WatchedVideo:
        """As the baselines of `streamer baseline` take it."""
        video = self.video
        entry = CatalogEntry(video.video_id, str(video.path), "video", self.duration_s, fps=video.fps)
        return WatchedVideo(entry, self.duration_s, len(self.features), SNIPPET_S, centred(self.features))


def watch(video: KnownVideo, kept: Path) -> Watched:
    """Decodes a video, or reads what was kept of it.

    Args:
        video: which.
        kept: folder for what is decoded.
    """
    path = kept / f"{video.video_id}.npz"
    stamp = video.path.stat().st_mtime_ns
    if path.exists():
        with np.load(path) as found:
            if int(found["stamp"]) == stamp:
                return Watched(video, float(found["duration_s"]), found["frames"], found["features"])
    small, duration = _frames(video, SMALL)
    features = frame_features(_frames(video, LARGE)[0])
    kept.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, stamp=stamp, duration_s=duration, frames=small, features=features)
    return Watched(video, duration, small, features)


def _frames(video: KnownVideo, side: int) -> tuple[np.ndarray, float]:
    with open_snippets(str(video.path), SnippetGrid(SNIPPET_S, side)) as reader:
        frames = np.stack(list(reader))
        assert reader.duration_s is not None, "it has been read to its end"
        return frames, reader.duration_s
