"""Where the engine's time goes, stage by stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.clock import Clock
from benchmarks.subject import EngineRun, Subject
from streamer import distance
from streamer.forward import Forward
from streamer.frames import FrameDecoder
from streamer.learner import Learner
from streamer.modules import HierarchicalPrediction, TemporalEncoding
from streamer.replay import Replay
from streamer.rows import RowTable

REST = "all else (Python)"


@dataclass(frozen=True)
class Stage:
    """A function, and the name under which its time is counted.

    Attributes:
        name: in the table.
        owner: class or module that has the function.
        function: its name.
        forward_only: not while autograd is on, as in the backward pass, which computes forward once more.
    """

    name: str
    owner: object
    function: str
    forward_only: bool = False


STAGES = (
    Stage("frames encoded ahead", Forward, "encode"),
    Stage("f forward", TemporalEncoding, "forward", forward_only=True),
    Stage("p forward", HierarchicalPrediction, "forward", forward_only=True),
    Stage("frame decoder forward", FrameDecoder, "forward"),
    Stage("signals", distance, "signals"),
    Stage("p again and back", Replay, "_predictions"),
    Stage("frame decoder back", FrameDecoder, "add_gradients"),
    Stage("f again and back", Replay, "_representations"),
    Stage("frame encoder back", Replay, "_frames"),
    *(Stage("tables", RowTable, function) for function in ("write", "add", "read", "columns")),
    Stage("optimizer step", Learner, "step"),
)


class StageClock:
    """Counts time for the innermost stage that runs.

    Attributes:
        seconds: per stage.

    Args:
        clock: reads the time.
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock = clock
        self._running = [REST]
        self._since = clock.read().wall_s

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts for `name` meanwhile."""
        self.lap()
        self._running.append(name)
        try:
            yield
        finally:
            self.lap()
            self._running.pop()

    def lap(self) -> None:
        """Counts the time since the last lap."""
        now = self._clock.read().wall_s
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


def measure(subject: Subject) -> dict[str, float]:
    """Seconds per snippet of every stage, in a run as `window.measure` makes it.

    Args:
        subject: an engine.
    """
    torch.set_num_threads(subject.threads)
    run = EngineRun(subject)
    run.warm_up()
    if subject.train:
        run.take_step()
    clock = StageClock(Clock(subject.device))
    with ExitStack() as patches:
        for stage in STAGES:
            watched = _watched(stage, getattr(stage.owner, stage.function), clock)
            patches.enter_context(patch.object(stage.owner, stage.function, watched))
        snippets = run.stretch(subject.base_steps)
        clock.lap()
    names = dict.fromkeys(stage.name for stage in STAGES)
    return {name: clock.seconds[name] / snippets for name in (*names, REST)}


def _watched(stage: Stage, function: Callable[..., Any], clock: StageClock) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        if stage.forward_only and torch.is_grad_enabled():
            return function(*arguments, **options)
        with clock.stage(stage.name):
            return function(*arguments, **options)

    return run
