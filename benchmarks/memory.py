"""Whether a worker's memory grows with the length of a video: ten minutes against an hour."""

from __future__ import annotations

import pickle
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.child import MIB, Resident, in_child, peak_mib, resident
from benchmarks.material import encode, vectors
from benchmarks.models import small_model
from pipelines.catalog import build_catalog
from pipelines.decoding import DecodingSettings, part_rows
from pipelines.run_folder import RunFolder
from pipelines.snippets import SnippetBlock, SnippetFormat, VideoEnd, VideoPart, read_rows
from pipelines.store import HierarchyStore
from pipelines.synchronization import SummedGradients
from pipelines.training import TrainingLoop, WorkerReport
from streamer.config import StreamerConfig
from streamer.errors import StreamerError
from streamer.hierarchy import Hierarchy
from streamer.signals import Signal
from streamer.streamer import Streamer

MINUTES = (10, 60)
RATE = 5
HEIGHT, WIDTH = 90, 160
SCENE_S = 20.0
SAMPLE_MINUTES = 5


class WeighingStore(HierarchyStore):
    """Writes like any store, and then weighs what the worker had kept for it until the end of the video.

    Attributes:
        peak_mib: the process's peak when all was written.
        kept: number and MiB of what was kept.
    """

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(folder, {}, signals=True)
        self.peak_mib = 0.0
        self.kept: dict[str, float] = {}

    def write(self, hierarchy: Hierarchy, signals: Sequence[Signal], reason: str | None = None) -> None:
        """Writes one finished video."""
        super().write(hierarchy, signals, reason)
        self.peak_mib = peak_mib()
        events = [event for level in hierarchy.levels for event in level]
        self.kept = {
            "signals": len(signals),
            "signals MiB": retained_mib(list(signals)),
            "events": len(events),
            "events MiB": retained_mib(events),
        }


def retained_mib(value: object) -> float:
    """Memory that a copy of a value takes."""
    packed = pickle.dumps(value)
    tracemalloc.start()
    copy = pickle.loads(packed)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del copy
    return size / MIB


def measure(uri: str, config: StreamerConfig) -> dict[str, Any]:
    """Trains on one recording, in this process, the way a worker does."""
    torch.set_num_threads(1)
    [entry] = build_catalog([uri], snippet_size=config.snippet_size).entries
    form = SnippetFormat.of(config, "pyav")
    model = Streamer(config)
    samples: list[Resident] = []
    every = round(SAMPLE_MINUTES * 60 / config.snippet_size)
    with tempfile.TemporaryDirectory() as folder:
        store = WeighingStore(RunFolder(folder))
        stream = _sampled(
            read_rows(part_rows(VideoPart(entry), form, DecodingSettings()), form), every, samples
        )
        loop = TrainingLoop(model, SummedGradients(model), [stream], store, sync_every=1, report=_ignore)
        last = loop.run()
    own = [sample.anonymous_mib for sample in samples]
    return {
        "minutes": round(last.snippets * config.snippet_size / 60),
        "snippets": last.snippets,
        "peak MiB": store.peak_mib,
        f"own MiB at {SAMPLE_MINUTES} min": own[0],
        "own MiB at end": own[-1],
        **store.kept,
        "own_mib": own,
        "file_mib": [sample.file_mib for sample in samples],
    }


def run() -> list[dict[str, Any]]:
    """Measures the small model on both lengths of both kinds of recordings.

    Raises:
        StreamerError: on another system than Linux, which does not tell the memory of a process this way.
    """
    if sys.platform != "linux":
        raise StreamerError("the memory of a process is read from /proc: run this benchmark on Linux")
    config = replace(small_model(), initial_levels=1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in MINUTES:
            path = in_child(_video, Path(folder) / f"{minutes}.mp4", minutes)
            rows.append({"input": "video", **in_child(measure, str(path), config)})
        for minutes in MINUTES:
            path = _array(Path(folder) / f"{minutes}.npy", minutes, config)
            result = in_child(measure, str(path), replace(config, modality="vectors"))
            rows.append({"input": "vectors", **result})
    return [*_with_difference(rows[:2]), *_with_difference(rows[2:])]


def _with_difference(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds to the longer recording's row by how much its peak is above the shorter one's."""
    short, long = rows
    above = long["peak MiB"] - short["peak MiB"]
    return [{**short, "above the short": None}, {**long, "above the short": above}]


def _video(path: Path, minutes: float) -> Path:
    return encode(path, seconds=60 * minutes, rate=RATE, height=HEIGHT, width=WIDTH, scene_s=SCENE_S)


def _array(path: Path, minutes: float, config: StreamerConfig) -> Path:
    count, scene = (round(seconds / config.snippet_size) for seconds in (60 * minutes, SCENE_S))
    np.save(path, vectors(count, config.feature_dim, scene_rows=scene))
    return path


def _sampled(
    stream: Iterator[SnippetBlock | VideoEnd], every: int, samples: list[Resident]
) -> Iterator[SnippetBlock | VideoEnd]:
    """Passes a stream on and looks at the memory every so many snippets, the last time at its end."""
    for item in stream:
        if isinstance(item, VideoEnd) or item.index // every > len(samples):
            samples.append(resident())
        yield item


def _ignore(report: WorkerReport) -> None:
    pass
