"""What a group of workers must compute, worked out with plain models and none of their synchronisation.

Lanes that learn together are as many models of one lane each, whose gradients and counters are added by hand
before a common step.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipelines.run_folder import RunFolder
from pipelines.snippets import VideoEnd
from streamer.signals import Signal
from tests.pipelines.tiny import SEED, Video, tiny_config, tiny_store
from tests.plain.lane import DueLoss
from tests.plain.streamer import PlainStreamer


class Claim:
    """Tells a model how many replicas there are; they never meet through it."""

    def __init__(self, size: int, rank: int) -> None:
        self.size, self.rank = size, rank

    def sum_(self, tensor: Tensor) -> Tensor:
        raise AssertionError("the reference sums by hand")


class Slot:
    """One lane: a model of its own with the videos of the lane, stepped by hand."""

    def __init__(self, videos: Sequence[Video], out: Path, lanes: int) -> None:
        self.model = PlainStreamer(tiny_config(), seed=SEED, dtype=torch.float64, replicas=Claim(lanes, 0))
        self.due: list[DueLoss] = []
        self._items = _items(videos)
        self._store = tiny_store(RunFolder(out))
        self._signals: list[Signal] = []

    def observe(self) -> bool:
        """Takes the next snippet, after the videos that end before it have been stored; False at the end."""
        for item in self._items:
            if isinstance(item, VideoEnd):
                self._end_video(item)
                continue
            self.learn()
            observation = self.model.advance(item)
            self._signals += [Signal(s.index, s.level, s.value, s.boundary) for s in observation.signals]
            self.due = observation.due
            return True
        return False

    def learn(self) -> None:
        """Takes in the losses of the last snippet."""
        self.model.learn(self.due)
        self.due = []

    def _end_video(self, end: VideoEnd) -> None:
        if end.status == "done":
            self._store.write(self.model.end_video(end.duration_s, end.video_id), self._signals)
        self.model.lane.start_video()
        self._signals = []


def _items(videos: Sequence[Video]) -> Iterator[np.ndarray | VideoEnd]:
    for video in videos:
        yield from video.vectors
        yield video.end


def summed_gradients(shares: Sequence[Sequence[Video]], out: Path, sync_every: int = 1) -> list[Slot]:
    """One model with as many lanes as there are shares, which meet after every `sync_every` snippets."""
    slots = [Slot(videos, out, len(shares)) for videos in shares]
    active = True
    while active:
        active = False
        for slot in slots:
            for _ in range(sync_every):
                if not slot.observe():
                    break
                active = True
        _meet(slots)
    _share(slots)
    return slots


def _meet(slots: Sequence[Slot]) -> None:
    models = [slot.model for slot in slots]
    learners = [model.learner for model in models if model.learner]
    losses = _column_sums([learner.losses.since_barrier for learner in learners])
    inputs = _column_sums([model.inputs.since_barrier for model in models])
    num_levels = max(len(model.levels) for model in models)
    for slot, model, learner in zip(slots, models, learners, strict=True):
        _grow(model, num_levels)
        learner.losses.merge(losses)
        model.inputs.merge(inputs)
        slot.learn()
    if learners[0].losses.total[num_levels - 1] < learners[0].config.optimize_every * len(models):
        return
    _share(slots)
    for model, learner in zip(models, learners, strict=True):
        learner.step()
        model.parameters_changed()


def _share(slots: Sequence[Slot]) -> None:
    """Gives all models the sums of gradients and counters, and the tables that have been looked up."""
    learners = [slot.model.learner for slot in slots if slot.model.learner]
    for sums in zip(*([*learner.f_sums, *learner.p_sums] for learner in learners), strict=True):
        flat, counter = torch.stack([s.flat for s in sums]).sum(0), sum(s.counter for s in sums)
        for gradient_sum in sums:
            gradient_sum.flat.copy_(flat)
            gradient_sum.counter = counter
    _bound_tables(slots)


def _bound_tables(slots: Sequence[Slot]) -> None:
    for tables in zip(*(slot.model.levels.tables for slot in slots), strict=True):
        rows = max(table.bounded for table in tables)
        for table in tables:
            table.bound(rows)


def averaged_parameters(
    workers: Sequence[Sequence[Sequence[Video]]], sync_every: int, out: Path
) -> list[list[Slot]]:
    """Workers that learn alone, averaged after every `sync_every` base steps if any has taken a step.

    Args:
        workers: for each, the videos of each of its lanes.
        sync_every: base steps between averagings.
        out: folder of the run.
    """
    groups = [[Slot(videos, out, len(shares)) for videos in shares] for shares in workers]
    averaged_steps = 0
    while seen := [group for group in groups if _learn_alone(group, sync_every)]:
        steps = sum(_steps(group) for group in groups)
        if len({_num_levels(group) for group in seen}) == 1 and steps > averaged_steps:
            _average(seen, groups)
            averaged_steps = steps
    _average([max(groups, key=_num_levels)], groups)
    return groups


def _learn_alone(group: Sequence[Slot], base_steps: int) -> bool:
    for step in range(base_steps):
        observed = [slot.observe() for slot in group]
        if not any(observed):
            return step > 0
        _meet(group)
    return True


def _steps(group: Sequence[Slot]) -> int:
    learner = group[0].model.learner
    assert learner is not None
    return learner.steps


def _num_levels(group: Sequence[Slot]) -> int:
    return len(group[0].model.levels)


def _average(sources: Sequence[Sequence[Slot]], groups: Sequence[Sequence[Slot]]) -> None:
    """Gives all models the mean of the parameters of `sources`."""
    for group in sources:
        _bound_tables(group)
    num_levels = _num_levels(sources[0])
    stacks = zip(*([*group[0].model.levels.parameters()] for group in sources), strict=True)
    means = [torch.stack([p.detach() for p in parameters]).mean(0) for parameters in stacks]
    for model in (slot.model for group in groups for slot in group):
        _grow(model, num_levels)
        own = [p for level in list(model.levels)[:num_levels] for p in level.parameters()]
        with torch.no_grad():
            for parameter, mean in zip(own, means, strict=True):
                parameter.copy_(mean)
        model.parameters_changed()


def _grow(model: PlainStreamer, num_levels: int) -> None:
    while len(model.levels) < num_levels:
        model.grow()


def _column_sums(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]
