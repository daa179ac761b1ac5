"""How far a worker has come: what a checkpoint holds beside the model, keyed by video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from pipelines.snippets import VideoEnd
from streamer.signals import Signal


@dataclass
class RunningVideo:
    """A video in the middle.

    Attributes:
        video_id: the video.
        next: the first of its snippets that has not been handed to the model.
        signals: its signals so far, where they are kept.
        state: what the model knows of it, as `streamer.handover.take_video` returns it; None where a lane
            of the model holds that itself.
        steps: optimiser steps that had been taken then.
    """

    video_id: str
    next: int = 0
    signals: list[Signal] = field(default_factory=list)
    state: Mapping[str, Any] | None = None
    steps: int = 0


@dataclass
class WorkerPosition:
    """How far a worker has come.

    Attributes:
        running: for each lane its videos in the middle, in the order in which they go on. More than the
            first wait only where a run goes on with fewer lanes than it had.
        ended: videos that have ended.
        snippets: observed since the start of the run.
        events: ended since the start of the run, per level.
        averaged_steps: optimiser steps at the last averaging of parameters.
    """

    running: list[list[RunningVideo]]
    ended: list[VideoEnd] = field(default_factory=list)
    snippets: int = 0
    events: list[int] = field(default_factory=list)
    averaged_steps: int = 0

    def to_state(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {
            "running": [[_video_state(video) for video in lane] for lane in self.running],
            "ended": [asdict(end) for end in self.ended],
            "snippets": self.snippets,
            "events": list(self.events),
            "averaged_steps": self.averaged_steps,
        }

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> WorkerPosition:
        """What `to_state` was made from."""
        return WorkerPosition(
            running=[[_video(video) for video in lane] for lane in state["running"]],
            ended=[VideoEnd(**end) for end in state["ended"]],
            snippets=state["snippets"],
            events=list(state["events"]),
            averaged_steps=state["averaged_steps"],
        )


def _video_state(video: RunningVideo) -> dict[str, Any]:
    fields = {name: getattr(video, name) for name in ("video_id", "next", "state", "steps")}
    return {**fields, "signals": _signals_tensor(video.signals)}


def _video(state: Mapping[str, Any]) -> RunningVideo:
    return RunningVideo(**{**state, "signals": _signals(state["signals"])})


def _signals_tensor(signals: Sequence[Signal]) -> Tensor:
    rows = [(signal.index, signal.level, signal.value, signal.boundary) for signal in signals]
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, 4)


def _signals(rows: Tensor) -> list[Signal]:
    return [
        Signal(int(index), int(level), value, bool(boundary))
        for index, level, value, boundary in rows.tolist()
    ]
