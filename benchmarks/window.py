"""One measurement: a model over a stretch of its stream.

All that the stretch's losses cost is in it. While learning it holds at least one optimiser step: where none
fell due, one is taken at its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import torch

from benchmarks.clock import Clock, Cost
from benchmarks.subject import EngineRun, PlainRun, Subject, open_run
from streamer.levels import Levels
from streamer.streamer import Streamer

Part = tuple[str, int]  # f or p, and its level
Lengths = Mapping[Part, Mapping[int, int]]  # how often sequences of each length passed each part


@dataclass(frozen=True)
class Window:
    """What one stretch took.

    Attributes:
        snippets: that were observed, over all lanes.
        whole: cost of all of it.
        steps: optimiser steps in it.
        optimizer: cost of these.
        peak_mb: largest memory so far.
        peak_before_mb: the same before the first optimiser step of this process; None where that was before.
        lengths: of the sequences that passed f and p on the way forward.
    """

    snippets: int
    whole: Cost
    steps: int
    optimizer: Cost
    peak_mb: float
    peak_before_mb: float | None
    lengths: Lengths


@dataclass
class Steps:
    """Optimiser steps, as they are taken."""

    count: int = 0
    cost: Cost = field(default_factory=Cost)
    peak_before_mb: float | None = None


def measure(subject: Subject, *, first: bool) -> Window:
    """Measures a fresh model.

    Args:
        subject: the model and its stream.
        first: nothing has been measured in this process, so that it can be told what memory is needed
            before the first optimiser step. Else one comes before the measured stretch, since the first
            takes longer.
    """
    if subject.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    clock = Clock(subject.device)
    run = open_run(subject)
    run.warm_up()
    if subject.train and not first:
        run.take_step()
    with watched_steps(run, clock) as steps, recorded_lengths(run) as lengths:
        start = clock.read()
        snippets = run.stretch(subject.base_steps)
        whole = clock.since(start)
    before = steps.peak_before_mb if first else None
    return Window(snippets, whole, steps.count, steps.cost, clock.peak_mb(), before, lengths)


@contextmanager
def watched_steps(run: PlainRun | EngineRun, clock: Clock) -> Iterator[Steps]:
    """Counts optimiser steps and measures them; there are none without learning."""
    learner, steps = run.model.learner, Steps()
    if learner is None:
        yield steps
        return
    take = learner.step

    def step() -> None:
        if steps.count == 0:
            steps.peak_before_mb = clock.peak_mb()
        start = clock.read()
        take()
        steps.cost = steps.cost.plus(clock.since(start))
        steps.count += 1

    with patch.object(learner, "step", step):
        yield steps


@contextmanager
def recorded_lengths(run: PlainRun | EngineRun) -> Iterator[dict[Part, Counter[int]]]:
    """Records the lengths of sequences that pass f and p of the engine on the way forward.

    The backward pass, which computes forward once more, has autograd on.
    """
    recorded: dict[Part, Counter[int]] = {}
    with ExitStack() as hooks:
        if isinstance(run.model, Streamer):
            for part, module in parts_of(run.model.levels).items():
                counts = recorded[part] = Counter[int]()

                def record(_: object, arguments: tuple, counts: Counter[int] = counts) -> None:
                    if not torch.is_grad_enabled():
                        counts.update(arguments[1])

                hooks.callback(module.register_forward_pre_hook(record).remove)
        yield recorded


def parts_of(levels: Levels) -> dict[Part, torch.nn.Module]:
    """The f and the p of every level."""
    parts: dict[Part, torch.nn.Module] = {}
    for index, level in enumerate(levels):
        parts["f", index] = level.f
        parts["p", index] = level.p
    return parts
