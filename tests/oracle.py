"""Runs recorded cases of the published model and compares: `python -m tests.oracle FILE...`.

The engine runs them by default, and with `--engine plain` the model that defines what it must compute. A case
file holds settings and what the release computed in float64: signals, boundaries, counters and gradient norms
at every optimiser step, sums and norms of the final parameters. Parameters and streams follow from names and
seeds (`oracle_cases/fill.py`).

Exit codes: 0 all cases agree, 1 one disagrees, 2 a file is no case.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from streamer.config import StreamerConfig
from streamer.errors import ConfigError, StreamerError
from streamer.release import release_boundaries, release_name, settings_to_config
from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests.oracle_cases import fill
from tests.plain.streamer import PlainStreamer

Model = Streamer | PlainStreamer
VALUE_TOLERANCE = 1e-8
NORM_TOLERANCE = 1e-6
BY_DEFAULT = Schedule()


class CaseError(StreamerError):
    """A file that holds no recorded case."""


@dataclass
class Deviations:
    """Largest relative deviations of one case, and what disagrees beyond measure."""

    signals: float = 0.0
    gradient_norms: float = 0.0
    parameters: float = 0.0
    boundaries_agree: bool = True
    mismatches: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return (
            self.boundaries_agree
            and not self.mismatches
            and self.signals <= VALUE_TOLERANCE
            and self.gradient_norms <= NORM_TOLERANCE
            and self.parameters <= VALUE_TOLERANCE
        )


@dataclass
class Step:
    """One optimiser step.

    Attributes:
        index: snippet over the whole stream.
        counters: by kind (`f`, `p` and `steps`, the losses) and level, as far as they are not 0.
        norms: of each parameter's gradient.
    """

    index: int
    counters: dict[tuple[str, int], float]
    norms: dict[str, float]


@dataclass
class Recording:
    """What a run of a model gave."""

    num_levels: int
    hierarchy: list[list[list[float]]]
    signals: list[tuple[int, int, float, bool]]
    steps: list[Step]
    final: dict[str, tuple[float, float]]


class StepRecorder:
    """Notes counters and gradient norms of every optimiser step."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.steps: list[Step] = []
        self.base_step = 0
        if model.learner is not None:
            model.learner.optimizer.register_step_pre_hook(self)

    def __call__(self, *_: Any) -> None:
        learner = self.model.learner
        assert learner is not None
        norms = {
            release_name(index, name): parameter.grad.norm().item()
            for index, level in enumerate(self.model.levels)
            for name, parameter in level.named_parameters()
            if parameter.grad is not None
        }
        counters = {
            "f": [sums.counter for sums in learner.f_sums],
            "p": [sums.counter for sums in learner.p_sums],
            "steps": learner.losses.total,
        }
        by_level = {kind: dict(enumerate(counts)) for kind, counts in counters.items()}
        self.steps.append(Step(self.base_step, nonzero(by_level), norms))


def nonzero(counters: dict[str, Any]) -> dict[tuple[str, int], float]:
    """Counters by kind and level, without those that are 0."""
    return {
        (kind, int(level)): float(count)
        for kind, by_level in counters.items()
        for level, count in by_level.items()
        if count != 0
    }


def fill_level(level: nn.Module, index: int) -> None:
    """Gives a new level the parameters that follow from their names."""
    for name, parameter in level.named_parameters():
        value = fill.fill(release_name(index, name), parameter.shape, torch.float64)
        parameter.data = value


def stream(config: StreamerConfig, n: int, seed: int) -> Tensor:
    """The snippets of a case, `[n, D]` or `[n, 3, 128, 128]`."""
    if config.modality == "frames":
        return fill.images(n, config.frame_size, seed)
    return fill.vectors(n, config.feature_dim, seed)


def make_model(case: dict[str, Any], schedule: Schedule | None = BY_DEFAULT) -> Model:
    """The model with a case's settings, of which any may be left to the release's default.

    Settings stand in `args`, and for the optimiser in `optim`; where `optim` is null there is no training.

    Args:
        case: settings and stream.
        schedule: how the engine batches; None makes the plain model.
    """
    optim = case.get("optim", {})
    modality = "frames" if case["stream"]["kind"] == "images" else "vectors"
    settings = {"lr": 1e-3, **(optim or {}), **case.get("args", {})}
    train = case.get("train", True) and optim is not None and settings.get("optimize", True)
    config = settings_to_config(settings, modality=modality)
    if schedule is None:
        return PlainStreamer(config, train=train, dtype=torch.float64, initialize=fill_level)
    return Streamer(config, train=train, precision="float64", initialize=fill_level, schedule=schedule)


def observations(model: Model, video: Tensor, at_once: int) -> Iterator[list[Any]]:
    """Shows the model one video and yields the signals of each snippet."""
    if isinstance(model, PlainStreamer):
        yield from map(model.observe, video)
        return
    for snippets in video.split(at_once):
        model.offer(snippets)
        for _ in snippets:
            [signals] = model.advance()
            if model.learner is not None:
                model.barrier()
            yield signals


def run(model: Model, case: dict[str, Any], at_once: int = 1) -> Recording:
    """Runs the model on a case's stream.

    Args:
        model: the engine or the plain model, with the case's settings.
        case: settings and stream.
        at_once: snippets of a video that the engine is offered at once, so that it can run ahead.
    """
    recorder = StepRecorder(model)
    snippets = stream(model.config, case["stream"]["n"], case["stream"]["seed"])
    resets = {*(case.get("reset_at") or []), len(snippets)}
    ends = [end for end in range(1, len(snippets) + 1) if end in resets]
    signals, hierarchy = [], []
    for start, end in itertools.pairwise([0, *ends]):
        observed = observations(model, snippets[start:end], at_once)
        for index in range(start, end):
            recorder.base_step = index
            signals += [(index, s.level, s.value, s.boundary) for s in next(observed)]
        hierarchy.append(release_boundaries(model.end_video()))
    final = {
        release_name(index, name): (parameter.sum().item(), parameter.norm().item())
        for index, level in enumerate(model.levels)
        for name, parameter in level.named_parameters()
    }
    return Recording(len(model.levels), hierarchy, signals, recorder.steps, final)


def relative(got: float, expected: float, scale: float = 0.0) -> float:
    """Deviation relative to the larger of |expected| and `scale`; infinite where either is no number."""
    deviation = abs(got - expected) / max(abs(expected), scale, 1e-12)
    return math.inf if math.isnan(deviation) else deviation


def compare(expected: Recording, got: Recording) -> Deviations:
    """Holds a run against what the release gave."""
    deviations = Deviations()
    if got.num_levels != expected.num_levels:
        deviations.mismatches.append(f"{got.num_levels} levels, expected {expected.num_levels}")
    deviations.boundaries_agree = expected.hierarchy == got.hierarchy
    _compare_signals(expected, got, deviations)
    _compare_steps(expected.steps, got.steps, deviations)
    if expected.final.keys() != got.final.keys():
        deviations.mismatches.append("other parameters")
        return deviations
    for name, (total, norm) in expected.final.items():
        own_total, own_norm = got.final[name]
        deviation = max(relative(own_total, total, 0.01 * norm), relative(own_norm, norm))
        deviations.parameters = max(deviations.parameters, deviation)
    return deviations


def _compare_signals(expected: Recording, got: Recording, deviations: Deviations) -> None:
    if [signal[:2] for signal in expected.signals] != [signal[:2] for signal in got.signals]:
        deviations.mismatches.append("signals at other snippets or levels")
        return
    for (_, _, value, boundary), (_, _, own_value, own_boundary) in zip(
        expected.signals, got.signals, strict=True
    ):
        deviations.signals = max(deviations.signals, relative(own_value, value))
        deviations.boundaries_agree &= boundary == own_boundary


def _compare_steps(expected: list[Step], got: list[Step], deviations: Deviations) -> None:
    if [step.index for step in expected] != [step.index for step in got]:
        deviations.mismatches.append("optimiser steps at other snippets")
        return
    for step, own in zip(expected, got, strict=True):
        if step.counters != own.counters:
            deviations.mismatches.append(f"other counters at snippet {step.index}")
        for name in {**step.norms, **own.norms}:
            deviation = relative(own.norms.get(name, 0.0), step.norms.get(name, 0.0), 1e-9)
            deviations.gradient_norms = max(deviations.gradient_norms, deviation)


def read_case(path: Path) -> tuple[dict[str, Any], Recording]:
    """A case's settings, and what the release gave.

    Raises:
        CaseError: the file holds no recorded case.
    """
    try:
        content = json.loads(path.read_text())
        case = content["case"]
        for key in ("kind", "n", "seed"):
            if key not in case["stream"]:
                raise KeyError(key)
        return case, _recording(content)
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise CaseError(f"{path}: not a recorded case: it has no entry {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise CaseError(f"{path}: not a recorded case: {error}") from error


def _recording(content: dict[str, Any]) -> Recording:
    return Recording(
        num_levels=content["num_layers"],
        hierarchy=[[video[str(level)] for level in range(len(video))] for video in content["hierarchy"]],
        signals=[(t, level, value, bool(boundary)) for t, level, value, boundary in content["signal"]],
        steps=[
            Step(step["step"], nonzero(step["counters"]), step["norms"])
            for step in content["optimizer_steps"]
        ],
        final={name: (float(total), float(norm)) for name, (total, norm) in content["final"].items()},
    )


def check(path: Path, schedule: Schedule | None = BY_DEFAULT) -> Deviations:
    """Runs one case file and compares.

    Args:
        path: the case.
        schedule: how the engine batches; None runs the plain model.

    Raises:
        CaseError: it holds no recorded case, or settings that make no model.
    """
    case, expected = read_case(path)
    try:
        model = make_model(case, schedule)
    except ConfigError as error:
        raise CaseError(f"{path}: its settings make no model: {error}") from error
    return compare(expected, run(model, case, at_once=schedule.encode_ahead if schedule else 1))


def describe(path: Path, deviations: Deviations) -> str:
    """One line per case."""
    return (
        f"{path.stem:32s} {'agrees' if deviations.agrees else 'DISAGREES':9s}"
        f"  signals {deviations.signals:.1e}  gradient norms {deviations.gradient_norms:.1e}"
        f"  parameters {deviations.parameters:.1e}"
        f"  boundaries {'agree' if deviations.boundaries_agree else 'DISAGREE'}"
        + "".join(f"  [{mismatch}]" for mismatch in deviations.mismatches[:3])
    )


def parse(arguments: list[str] | None) -> tuple[list[Path], Schedule | None]:
    """The files that the command line names, and how the engine batches; None for the plain model."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.oracle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recorded cases (JSON)")
    parser.add_argument(
        "--engine", choices=("fast", "plain"), default="fast", help="what runs the cases (default: fast)"
    )
    parser.add_argument(
        "--flush_losses", type=int, metavar="N", help="losses that the engine takes backward at once"
    )
    parser.add_argument(
        "--encode_ahead", type=int, metavar="N", help="frames that the engine encodes at once"
    )
    options = parser.parse_args(arguments)
    batches = {
        name: getattr(options, name)
        for name in ("flush_losses", "encode_ahead")
        if getattr(options, name) is not None
    }
    if options.engine == "plain":
        if batches:
            parser.error(f"--{next(iter(batches))} has no effect with --engine plain: remove one of them")
        return options.files, None
    try:
        return options.files, Schedule(**batches)
    except ConfigError as error:
        parser.error(str(error))


def main(arguments: list[str] | None = None) -> int:
    """Compares every case file named; returns 1 where one disagrees, 2 where one is no case."""
    files, schedule = parse(arguments)
    code = 0
    for path in files:
        try:
            deviations = check(path, schedule)
        except CaseError as error:
            print(error, file=sys.stderr)
            code = 2
            continue
        print(describe(path, deviations), flush=True)
        if not deviations.agrees:
            code = max(code, 1)
    return code


if __name__ == "__main__":
    sys.exit(main())
