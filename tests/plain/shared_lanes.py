"""The definition of lanes: own working sets, windows and predictions; shared parameters, gradients, counters.

Several lanes equal as many models in lockstep whose gradients and counters are added before a common step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamer.config import StreamerConfig
from streamer.hierarchy import Event
from streamer.tally import Tally
from tests.plain.lane import Lane
from tests.plain.learner import Learner
from tests.plain.levels import Initializer, Levels
from tests.plain.streamer import prepare

Signal = tuple[int, int, float, bool]  # snippet, level, value, boundary


@dataclass(frozen=True)
class Video:
    """What a lane is shown from start to end.

    Attributes:
        snippets: `[T, ...]`, T > 0.
        dropped_after: the video breaks off after so many snippets and is forgotten; None to end it.
    """

    snippets: Tensor | np.ndarray
    dropped_after: int | None = None

    @property
    def length(self) -> int:
        """Snippets that are observed."""
        return len(self.snippets) if self.dropped_after is None else self.dropped_after


@dataclass
class Seen:
    """What a model made of one video that ended.

    Attributes:
        signals: in the order in which inputs were finished.
        levels: the events of each level, finest first.
    """

    signals: list[Signal]
    levels: Sequence[Sequence[Event]]


@dataclass(frozen=True)
class Turn:
    """A lane's part in one base step: a snippet of a video, and whether it is the last that is observed."""

    video: Video
    index: int
    last: bool


def turns(videos: Sequence[Video]) -> Iterator[Turn]:
    """A lane's base steps."""
    return (
        Turn(video, index, index + 1 == video.length) for video in videos for index in range(video.length)
    )


class SharedLanes:
    """Lanes in one process, in float64, without replicas.

    Args:
        config: what the model is.
        size: number of lanes.
        train: learn and grow while observing.
        seed: determines all initial parameters.
        initialize: as for `PlainStreamer`.
    """

    def __init__(
        self,
        config: StreamerConfig,
        size: int,
        *,
        train: bool = True,
        seed: int = 0,
        initialize: Initializer | None = None,
    ) -> None:
        self.config = config
        self.levels = Levels(config, seed=seed, dtype=torch.float64, initialize=initialize)
        self.inputs = Tally(config.max_levels)
        self.learner = Learner(self.levels, config.learning, size) if train else None
        grow = self.grow if train else None
        self.lanes = [Lane(self.levels, self.inputs, grow, config.evolve_every * size) for _ in range(size)]

    def grow(self) -> None:
        """Creates the level above the highest."""
        level = self.levels.grow()
        if self.learner is not None:
            self.learner.add_level(level)

    def parameters_changed(self) -> None:
        """Drops what was computed with the parameters as they were."""
        self.levels.parameters_changed()
        with torch.set_grad_enabled(self.learner is not None):
            for lane in self.lanes:
                lane.parameters_changed()

    def run(
        self,
        streams: Sequence[Sequence[Video]],
        *,
        sync_every: int = 1,
        after_base_step: Callable[[int], object] | None = None,
    ) -> list[list[Seen]]:
        """Shows every lane its videos, one after the other.

        Args:
            streams: the videos of each lane.
            sync_every: base steps between two looks at whether to grow or to step.
            after_base_step: called with the number of each base step, before videos end.

        Returns:
            Per lane what it made of those of its videos that ended.
        """
        seen: list[list[Seen]] = [[] for _ in self.lanes]
        signals: list[list[Signal]] = [[] for _ in self.lanes]
        for base_step, row in enumerate(itertools.zip_longest(*map(turns, streams))):
            self._base_step(row, signals)
            if self.learner is not None and (base_step + 1) % sync_every == 0:
                self._barrier(self.learner)
            if after_base_step is not None:
                after_base_step(base_step)
            for rank, turn in enumerate(row):
                if turn is not None and turn.last:
                    seen[rank] += self._end_video(self.lanes[rank], turn.video, signals[rank])
                    signals[rank] = []
        return seen

    def _base_step(self, row: Sequence[Turn | None], signals: list[list[Signal]]) -> None:
        due = []
        for lane, turn, own in zip(self.lanes, row, signals, strict=True):
            if turn is not None:
                with torch.set_grad_enabled(self.learner is not None):
                    observation = lane.observe(prepare(turn.video.snippets[turn.index], self.levels))
                own += [(s.index, s.level, s.value, s.boundary) for s in observation.signals]
                due += observation.due
        if self.learner is not None:
            for loss in due:
                self.learner.losses.count(loss.level)
            self.learner.accumulate(due)  # when all lanes have grown: the weights depend on it

    def _barrier(self, learner: Learner) -> None:
        learner.losses.merge(learner.losses.since_barrier)
        self.inputs.merge(self.inputs.since_barrier)
        if learner.step_due():
            learner.step()
            self.parameters_changed()

    def _end_video(self, lane: Lane, video: Video, signals: list[Signal]) -> list[Seen]:
        if video.dropped_after is not None:
            lane.start_video()
            return []
        return [Seen(signals, lane.end_video(lane.index * self.config.snippet_size))]
