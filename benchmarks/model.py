"""Speed and memory of the model, learning and not, on frames and on vectors."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.child import in_child, peak_mib
from benchmarks.material import scenes, vectors
from benchmarks.report import spread
from pipelines.config import laptop_model
from streamer.config import StreamerConfig
from streamer.streamer import Streamer

SCENE_SNIPPETS = 12
WARM_UP = 2  # snippets that are not counted


@dataclass(frozen=True)
class Case:
    """One model and how much of it to run.

    Attributes:
        name: in the table.
        config: the model; all its levels exist from the start, so that every snippet costs the same.
        snippets: per repetition.
    """

    name: str
    config: StreamerConfig
    snippets: int


class Repetition(NamedTuple):
    """What one run of a model took.

    Attributes:
        wall_s: seconds per snippet.
        cpu_s: CPU seconds per snippet.
        step_s: CPU seconds of one more optimiser step after the last snippet; 0 without learning.
        parameters: of the model.
    """

    wall_s: float
    cpu_s: float
    step_s: float
    parameters: int


def small_model() -> StreamerConfig:
    """The default of `streamer train`, grown up."""
    config = laptop_model()
    return replace(config, initial_levels=config.max_levels)


def paper_model() -> StreamerConfig:
    """The configuration of the publication (EPIC-KITCHENS), grown up."""
    return StreamerConfig(
        feature_dim=1024,
        frame_size=128,
        channels=(32, 64, 256, 1024),
        working_set_size=20,
        force_fixed_buffer=True,
        initial_levels=3,
    )


def cases() -> list[Case]:
    """All models that are measured."""
    small, paper = small_model(), paper_model()
    return [
        Case("small, frames", small, 300),
        Case("small, vectors", replace(small, modality="vectors"), 600),
        Case("paper, frames", paper, 8),
        Case("paper, vectors", replace(paper, modality="vectors"), 60),
    ]


def measure(case: Case, train: bool, repetitions: int) -> dict[str, Any]:
    """Runs a case on one thread: a fresh model with the same parameters per repetition."""
    torch.set_num_threads(1)
    snippets = material(case.config, case.snippets)
    before_mib = peak_mib()
    runs = [once(case.config, train, snippets) for _ in range(repetitions)]
    cpu = [run.cpu_s for run in runs]
    return {
        "model": case.name,
        "mode": "training" if train else "inference",
        "M parameters": runs[0].parameters / 1e6,
        "snippets/s": 1 / statistics.median(run.wall_s for run in runs),
        "CPU s/snippet": statistics.median(cpu),
        "spread": spread(cpu),
        "step s": statistics.median(run.step_s for run in runs) if train else None,
        "peak MiB": peak_mib(),
        "before MiB": before_mib,
        "wall_s": [run.wall_s for run in runs],
        "cpu_s": cpu,
    }


def once(config: StreamerConfig, train: bool, snippets: Sequence[np.ndarray]) -> Repetition:
    """Runs a fresh model, whose memory is free again afterwards."""
    gc.collect()  # the model before: it has references to itself
    model = Streamer(config, train=train)
    observe(model, snippets[:WARM_UP])
    started, used = time.perf_counter(), time.process_time()
    observe(model, snippets[WARM_UP:])
    measured = len(snippets) - WARM_UP
    wall_s, cpu_s = (time.perf_counter() - started) / measured, (time.process_time() - used) / measured
    step_s = 0.0
    if model.learner is not None:
        used = time.process_time()
        model.learner.step()
        step_s = time.process_time() - used
    return Repetition(wall_s, cpu_s, step_s, sum(p.numel() for p in model.levels.parameters()))


def material(config: StreamerConfig, count: int) -> list[np.ndarray]:
    """Snippets that a model takes."""
    if config.modality == "vectors":
        return list(vectors(count, config.feature_dim, scene_rows=SCENE_SNIPPETS))
    frames = scenes(count, config.frame_size, config.frame_size, scene_frames=SCENE_SNIPPETS)
    return [np.ascontiguousarray(frame) for frame in frames]


def observe(model: Streamer, snippets: Sequence[np.ndarray]) -> None:
    """Lets a model see snippets."""
    for snippet in snippets:
        model.observe(snippet)


def run(repetitions: int) -> list[dict[str, Any]]:
    """Measures every case, each in a process of its own."""
    rows = []
    for case in cases():
        results = [in_child(measure, case, train, repetitions) for train in (True, False)]
        training, inference = (result["CPU s/snippet"] for result in results)
        rows += [{**result, "to inference": training / inference} for result in results]
    return rows
