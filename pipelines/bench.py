"""The `bench` command: how fast the engine is on this machine, and how fast it could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from streamer.config import require
from streamer.errors import ConfigError


@dataclass
class BenchConfig:
    """Measures the engine against the plain model and against the floor of this machine.

    Attributes:
        models: sizes of model: paper = the published one, small = the same for laptops.
        video: a video to measure on, beside generated frames and vectors.
        only: words that the titles of tables must hold, such as `frames, training`.
        lanes: numbers of lanes to measure the engine with.
        bf16_lanes: numbers of lanes to measure it with in bf16.
        repetitions: of which medians are taken.
        threads: that the models compute with; by default as many as there are cores.
        quick: only try whether everything runs, in a minute; the figures mean nothing.
        profile: also show where the engine's time goes.
        json: file for all figures, repetitions included.
        device: where the models compute.
    """

    models: Literal["both", "paper", "small"] = "both"
    video: str | None = None
    only: str = ""
    lanes: list[int] = field(default_factory=lambda: [1, 4, 8, 16])
    bf16_lanes: list[int] = field(default_factory=lambda: [1, 8])
    repetitions: int = 3
    threads: int | None = None
    quick: bool = False
    profile: bool = False
    json: str | None = None
    device: Literal["cpu", "cuda"] = "cpu"

    def __post_init__(self) -> None:
        for name in ("lanes", "bf16_lanes"):
            values = getattr(self, name)
            require(all(value >= 1 for value in values), f"--{name} must all be at least 1, not {values}")
        require(len(self.lanes) > 0, "--lanes is empty: give some, such as [1,8]")
        require(self.repetitions >= 1, f"--repetitions must be at least 1, not {self.repetitions}")
        require(
            self.threads is None or self.threads >= 1, f"--threads must be at least 1, not {self.threads}"
        )


def bench(config: BenchConfig, console: Console) -> int:
    """Measures and prints tables as they are ready.

    Returns:
        Exit code: 0.

    Raises:
        ConfigError: this is no source checkout, or a file cannot be written.
        StreamerError: something cannot be measured here.
    """
    try:
        from benchmarks import engine, report
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("benchmarks", "tests"):
            raise
        raise ConfigError(
            "streamer bench measures with benchmarks/ and tests/ of the source code, which are not here: "
            "clone the repository and `pip install --editable .` there"
        ) from error
    if config.json is not None:
        folder = Path(config.json).absolute().parent
        require(folder.is_dir(), f"--json {config.json}: there is no folder {folder}: make it")
    options = engine.Options(
        models=("paper", "small") if config.models == "both" else (config.models,),
        video=None if config.video is None else Path(config.video),
        only=config.only,
        lanes=tuple(config.lanes),
        bf16_lanes=tuple(config.bf16_lanes),
        repetitions=config.repetitions,
        threads=config.threads,
        quick=config.quick,
        profile=config.profile,
        device=config.device,
    )

    def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        report.show(title, rows, console)

    machine = report.machine()
    report.introduce(machine, console)
    results = {"machine": machine, "engine": engine.run(options, show)}
    if config.json is not None:
        try:
            report.write(Path(config.json), results)
        except OSError as error:
            raise ConfigError(
                f"--json {config.json}: cannot be written ({error.strerror}): name another file"
            ) from error
    return 0
