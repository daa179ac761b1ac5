"""The engine against the plain model and against the floor, in turns on one machine.

Repetitions alternate (plain, engine with every number of lanes, floor, plain, ...), so that what else the
machine does meets them all alike; figures are medians, and ratios are ratios of medians of one run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch

from benchmarks import floor, material, stages, window
from benchmarks.child import Children, in_child
from benchmarks.comparison import (
    Comparison,
    floor_rows,
    speed_rows,
    stage_rows,
    steps_and_memory,
    without_steps,
)
from benchmarks.models import paper_model, small_model
from benchmarks.subject import ROW_SNIPPETS, Subject
from streamer.config import Precision, StreamerConfig, require

Size = Literal["paper", "small"]
Device = Literal["cpu", "cuda"]
Show = Callable[[str, Sequence[Mapping[str, Any]]], None]

SNIPPETS = 256  # of a stream, which goes round
PLAIN = "plain"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        models: sizes.
        video: a video to measure on, beside generated frames and vectors.
        only: words that the titles of tables must hold, such as `frames, training`.
        lanes: of the engine.
        bf16_lanes: of the engine in bf16.
        repetitions: of which medians are taken.
        threads: that each process computes with; by default as many as there are cores for it.
        quick: only try whether everything runs, one repetition of the small model with one number of lanes;
            the figures mean nothing.
        profile: also show where the engine's time goes.
        device: where the models compute.
    """

    models: tuple[Size, ...] = get_args(Size)
    video: Path | None = None
    only: str = ""
    lanes: tuple[int, ...] = (1, 4, 8, 16)
    bf16_lanes: tuple[int, ...] = (1, 8)
    repetitions: int = 3
    threads: int | None = None
    quick: bool = False
    profile: bool = False
    device: Device = "cpu"

    def __post_init__(self) -> None:
        require(len(self.models) > 0, "no model to measure: take paper, small or both")
        require(len(self.lanes) > 0, "no number of lanes to measure the engine with: give some")
        lanes = min((*self.lanes, *self.bf16_lanes))
        require(lanes >= 1, f"the number of lanes must be at least 1, not {lanes}")
        require(self.repetitions >= 1, f"repetitions must be at least 1, not {self.repetitions}")
        require(self.threads is None or self.threads >= 1, f"threads must be at least 1, not {self.threads}")


@dataclass(frozen=True)
class Work:
    """How long a measured stretch is.

    Attributes:
        plain: base steps of the plain model.
        snippets: of the engine, over all lanes.
        base_steps: of the engine, at least.
    """

    plain: int
    snippets: int
    base_steps: int


WORK: dict[tuple[Size, str, bool], Work] = {
    ("paper", "frames", True): Work(24, 96, 16),
    ("paper", "frames", False): Work(48, 96, 16),
    ("paper", "vectors", True): Work(24, 256, 32),
    ("paper", "vectors", False): Work(48, 256, 32),
    ("small", "frames", True): Work(64, 256, 16),
    ("small", "frames", False): Work(128, 512, 32),
    ("small", "vectors", True): Work(64, 512, 32),
    ("small", "vectors", False): Work(128, 512, 32),
}
QUICK = Work(4, 16, 16)


@dataclass(frozen=True)
class Setting:
    """What is the same for all that is compared with each other.

    Attributes:
        size: of the model.
        config: the model.
        source: of the stream, in words.
        stream: `.npy` file of it.
        train: learn, or only observe.
    """

    size: Size
    config: StreamerConfig
    source: str
    stream: str
    train: bool

    @property
    def title(self) -> str:
        """The setting in words."""
        return f"{self.size} model, {self.source}, {'training' if self.train else 'inference'}"


def run(options: Options, show: Show) -> list[dict[str, Any]]:
    """Measures all settings.

    Args:
        options: what to measure.
        show: takes each table as soon as it is there.

    Returns:
        Per setting all tables, repetitions included.

    Raises:
        StreamerError: there is no such device, the video cannot be read, or memory ran out.
    """
    require(
        options.device == "cpu" or torch.cuda.is_available(),
        "there is no CUDA device here: measure with --device cpu",
    )
    if options.quick:
        options = _quick(options)
    with tempfile.TemporaryDirectory() as folder:
        settings = [s for s in _settings(options, Path(folder)) if options.only in s.title]
        require(len(settings) > 0, f"nothing to measure has `{options.only}` in its title: see the titles")
        return [_measure(setting, options, show) for setting in settings]


def _quick(options: Options) -> Options:
    """One repetition of the small model with the most lanes."""
    last = replace(options, lanes=options.lanes[-1:], bf16_lanes=options.bf16_lanes[-1:])
    return replace(last, models=("small",), repetitions=1)


def _settings(options: Options, folder: Path) -> Iterator[Setting]:
    for size in options.models:
        frames = paper_model() if size == "paper" else small_model()
        vectors = replace(frames, modality="vectors")
        streams = [("generated frames", frames, material.snippets(frames, SNIPPETS))]
        if options.video is not None:
            streams.append((options.video.name, frames, material.decoded(options.video, frames, SNIPPETS)))
        streams.append(("vectors", vectors, material.snippets(vectors, SNIPPETS)))
        for number, (source, config, snippets) in enumerate(streams):
            path = folder / f"{size}-{number}.npy"
            np.save(path, snippets)
            for train in (True, False):
                yield Setting(size, config, source, str(path), train)


def _measure(setting: Setting, options: Options, show: Show) -> dict[str, Any]:
    subjects = _subjects(setting, options)
    floors: dict[Precision, Subject] = {}
    for subject in subjects.values():
        if subject.lanes:
            floors.setdefault(subject.precision, replace(subject, lanes=0))
    comparison = Comparison(setting.config)
    with Children([*subjects, *(f"floor {precision}" for precision in floors)]) as children:
        for repetition in range(options.repetitions):
            for name, subject in subjects.items():
                result = children.call(name, window.measure, subject, first=repetition == 0)
                comparison.windows[subject].append(result)
            for precision, subject in floors.items():
                workloads = comparison.workloads(precision)
                batches = comparison.best_batches(precision)
                result = children.call(f"floor {precision}", floor.measure, subject, workloads, batches)
                comparison.floors[precision].append(result)
    tables = {"speed": speed_rows(comparison), "floor": floor_rows(comparison)}
    show(setting.title, without_steps(tables["speed"]))
    steps = "optimizer steps and memory" if setting.train else "memory"
    show(f"{setting.title}: {steps}", steps_and_memory(tables["speed"]))
    show(f"{setting.title}: floor, ms per snippet", tables["floor"])
    if options.profile:
        engines = [s for s in subjects.values() if s.lanes and s.precision == "float32"]
        tables["stages"] = stage_rows({s.lanes: in_child(stages.measure, s) for s in engines})
        show(f"{setting.title}: where the time goes, float32, ms per snippet", tables["stages"])
    return {"setting": setting.title, "threads": _threads(options), "device": options.device, **tables}


def _subjects(setting: Setting, options: Options) -> dict[str, Subject]:
    """All models by name, in the order in which they take turns."""
    work = QUICK if options.quick else WORK[setting.size, setting.config.modality, setting.train]

    def subject(lanes: int, precision: Precision, base_steps: int) -> Subject:
        return Subject(
            config=setting.config,
            stream=setting.stream,
            train=setting.train,
            lanes=lanes,
            precision=precision,
            base_steps=base_steps,
            device=options.device,
            threads=_threads(options),
        )

    subjects = {PLAIN: subject(0, "float32", work.plain)}
    numbers: list[tuple[Precision, tuple[int, ...]]] = [
        ("float32", options.lanes),
        ("bf16", options.bf16_lanes),
    ]
    for precision, all_lanes in numbers:
        for lanes in all_lanes:
            # Whole rows, so that exactly the frames are encoded that are observed.
            rows = -(-max(work.base_steps, work.snippets // lanes) // ROW_SNIPPETS)
            subjects[f"engine {precision} {lanes}"] = subject(lanes, precision, rows * ROW_SNIPPETS)
    return subjects


def _threads(options: Options) -> int:
    if options.threads is not None:
        return options.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
