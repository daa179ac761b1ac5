"""A model with one lane that learns on all videos of a folder, in one process without Ray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from benchmarks.quality.material import KnownVideo
from benchmarks.quality.predicting import Predicted, of_hierarchy
from pipelines.assignment import assign
from pipelines.catalog import CatalogEntry
from streamer.config import StreamerConfig
from streamer.extractors import open_extractor
from streamer.signals import Signal
from streamer.streamer import Streamer
from streamer.video import SnippetGrid, open_snippets


def predict(
    config: StreamerConfig, videos: Sequence[KnownVideo], seed: int
) -> Iterator[tuple[KnownVideo, float, Predicted]]:
    """Watches all videos in the order of a run with one worker and one lane, learning all the while.

    Args:
        config: of the model, which begins with nothing learned.
        videos: to watch.
        seed: of the model.

    Yields:
        Each video with its duration in seconds and what is predicted of it.
    """
    model = Streamer(config, seed=seed)
    entries = [CatalogEntry(v.video_id, str(v.path), "video", v.duration_s, fps=v.fps) for v in videos]
    known = {video.video_id: video for video in videos}
    for entry in assign(entries, 1)[0]:
        snippets, duration_s = _decoded(entry.uri, config.snippet_size, config.frame_size)
        signals = _observe(model, snippets)
        hierarchy = model.end_video(duration_s, entry.video_id)
        distance = config.distance_of(0) == "distance"
        yield known[entry.video_id], duration_s, of_hierarchy(hierarchy, signals, distance=distance)


def _observe(model: Streamer, snippets: np.ndarray) -> list[Signal]:
    """Signals of the lowest level."""
    config, signals = model.config, []
    if config.features is not None:
        snippets = open_extractor(config.features, config.feature_dim)(snippets)
    size = model.schedule.encode_ahead
    for first in range(0, len(snippets), size):
        row = snippets[first : first + size]
        model.offer(row)
        for _ in row:
            signals += [signal for signal in model.advance()[0] if signal.level == 0]
            model.barrier()
    return signals


@cache
def _decoded(uri: str, snippet_size: float, frame_size: int) -> tuple[np.ndarray, float]:
    """Frames uint8 [T, H, H, 3] and the duration in seconds."""
    with open_snippets(uri, SnippetGrid(snippet_size, frame_size)) as reader:
        frames = np.stack(list(reader))
        assert reader.duration_s is not None, "it has been read to its end"
        return frames, reader.duration_s
