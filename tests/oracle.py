"""Runs recorded cases of the published model and compares: `python -m tests.oracle FILE...`.

A case file holds settings and what the release computed in float64: signals, boundaries, counters and
gradient norms at every optimiser step, sums and norms of the final parameters. Parameters and streams
follow from names and seeds (`oracle_cases/fill.py`).

Exit codes: 0 all cases agree, 1 one disagrees, 2 a file is no case.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from streamer.config import StreamerConfig
from streamer.errors import StreamerError
from streamer.modules import Level
from streamer.release import release_boundaries, release_name, settings_to_config
from streamer.streamer import Streamer
from tests.oracle_cases import fill

VALUE_TOLERANCE = 1e-8
NORM_TOLERANCE = 1e-6
ENTRIES = {
    "case": dict,
    "num_layers": int,
    "hierarchy": list,
    "signal": list,
    "optimizer_steps": list,
    "final": dict,
}


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
class Recording:
    """What a run of this project's model gave, in the form of the case files."""

    num_levels: int
    hierarchy: list[list[list[float]]]
    signals: list[tuple[int, int, float, bool]]
    steps: list[dict[str, Any]]
    final: dict[str, tuple[float, float]]


class StepRecorder:
    """Notes counters and gradient norms of every optimiser step."""

    def __init__(self, model: Streamer) -> None:
        self.model = model
        self.steps: list[dict[str, Any]] = []
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
            "steps": learner.losses.total[: learner.num_levels],
        }
        self.steps.append({"step": self.base_step, "counters": counters, "norms": norms})


def fill_level(level: Level, index: int) -> None:
    """Gives a new level the parameters that follow from their names."""
    for name, parameter in level.named_parameters():
        value = fill.fill(release_name(index, name), parameter.shape, torch.float64)
        parameter.data = value


def stream(config: StreamerConfig, n: int, seed: int) -> Tensor:
    """The snippets of a case, `[n, D]` or `[n, 3, 128, 128]`."""
    if config.modality == "frames":
        return fill.images(n, config.frame_size, seed)
    return fill.vectors(n, config.feature_dim, seed)


def make_model(case: dict[str, Any]) -> Streamer:
    """The model with a case's settings, of which any may be left to the release's default.

    Settings stand in `args`, and for the optimiser in `optim`; where `optim` is null there is no training.
    """
    optim = case.get("optim", {})
    modality = "frames" if case["stream"]["kind"] == "images" else "vectors"
    settings = {"lr": 1e-3, **(optim or {}), **case.get("args", {})}
    train = case.get("train", True) and optim is not None and settings.get("optimize", True)
    config = settings_to_config(settings, modality=modality)
    return Streamer(config, train=train, dtype=torch.float64, initialize=fill_level)


def run(case: dict[str, Any]) -> Recording:
    """Runs this project's model on a case's stream."""
    model = make_model(case)
    recorder = StepRecorder(model)
    ends = set(case.get("reset_at") or [])
    signals, hierarchy = [], []
    snippets = stream(model.config, case["stream"]["n"], case["stream"]["seed"])
    for index, snippet in enumerate(snippets):
        recorder.base_step = index
        signals += [(index, s.level, s.value, s.boundary) for s in model.observe(snippet)]
        if index + 1 in ends or index + 1 == len(snippets):
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


def compare(recorded: dict[str, Any], got: Recording) -> Deviations:
    """Holds a run against what the release gave."""
    deviations = Deviations()
    if got.num_levels != recorded["num_layers"]:
        deviations.mismatches.append(f"{got.num_levels} levels, expected {recorded['num_layers']}")
    expected = [[video[str(level)] for level in range(len(video))] for video in recorded["hierarchy"]]
    deviations.boundaries_agree = expected == got.hierarchy
    _compare_signals(recorded["signal"], got.signals, deviations)
    _compare_steps(recorded["optimizer_steps"], got.steps, deviations)
    if recorded["final"].keys() != got.final.keys():
        deviations.mismatches.append("other parameters")
        return deviations
    for name, (total, norm) in recorded["final"].items():
        deviation = max(
            relative(got.final[name][0], total, 0.01 * norm), relative(got.final[name][1], norm)
        )
        deviations.parameters = max(deviations.parameters, deviation)
    return deviations


def _compare_signals(expected: list[list[Any]], got: list[Any], deviations: Deviations) -> None:
    if [(t, level) for t, level, *_ in expected] != [(t, level) for t, level, *_ in got]:
        deviations.mismatches.append("signals at other snippets or levels")
        return
    for (_, _, value, boundary), (_, _, own_value, own_boundary) in zip(expected, got, strict=True):
        deviations.signals = max(deviations.signals, relative(own_value, value))
        deviations.boundaries_agree &= bool(boundary) == own_boundary


def _compare_steps(expected: list[dict[str, Any]], got: list[dict[str, Any]], deviations: Deviations) -> None:
    if [step["step"] for step in expected] != [step["step"] for step in got]:
        deviations.mismatches.append("optimiser steps at other snippets")
        return
    for step, own in zip(expected, got, strict=True):
        for kind, counters in step["counters"].items():
            own_counters = {str(level): count for level, count in enumerate(own["counters"][kind])}
            levels = {**counters, **own_counters}
            if any(counters.get(level, 0) != own_counters.get(level, 0) for level in levels):
                deviations.mismatches.append(f"other counters {kind} at snippet {step['step']}")
        for name in {**step["norms"], **own["norms"]}:
            deviation = relative(own["norms"].get(name, 0.0), step["norms"].get(name, 0.0), 1e-9)
            deviations.gradient_norms = max(deviations.gradient_norms, deviation)


def read_case(path: Path) -> dict[str, Any]:
    """A case file's content.

    Raises:
        CaseError: it holds no recorded case.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise CaseError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CaseError(f"{path}: not a recorded case: no JSON ({error})") from error
    for entry, kind in ENTRIES.items():
        if not isinstance(content, dict) or not isinstance(content.get(entry), kind):
            raise CaseError(f"{path}: not a recorded case: it has no `{entry}`")
    given = content["case"].get("stream")
    if not isinstance(given, dict) or given.keys() < {"kind", "n", "seed"}:
        raise CaseError(f"{path}: not a recorded case: its `case.stream` has no kind, n and seed")
    return content


def check(path: Path) -> Deviations:
    """Runs one case file and compares.

    Raises:
        CaseError: it holds no recorded case, or settings that make no model.
    """
    recorded = read_case(path)
    try:
        return compare(recorded, run(recorded["case"]))
    except StreamerError as error:
        raise CaseError(f"{path}: its settings make no model: {error}") from error
    except (LookupError, TypeError, ValueError) as error:
        raise CaseError(f"{path}: not a recorded case: {type(error).__name__} {error}") from error


def describe(path: Path, deviations: Deviations) -> str:
    """One line per case."""
    return (
        f"{path.stem:32s} {'agrees' if deviations.agrees else 'DISAGREES':9s}"
        f"  signals {deviations.signals:.1e}  gradient norms {deviations.gradient_norms:.1e}"
        f"  parameters {deviations.parameters:.1e}"
        f"  boundaries {'agree' if deviations.boundaries_agree else 'DISAGREE'}"
        + "".join(f"  [{mismatch}]" for mismatch in deviations.mismatches[:3])
    )


def main(arguments: list[str] | None = None) -> int:
    """Compares every case file named; returns 1 where one disagrees, 2 where one is no case."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.oracle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="recorded cases (JSON)")
    code = 0
    for path in parser.parse_args(arguments).files:
        try:
            deviations = check(path)
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
