"""What a group of workers must compute, worked out in one process without any of their synchronisation."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from pipelines.run_folder import RunFolder
from pipelines.snippets import Snippet, VideoEnd
from streamer.lane import Signal
from streamer.streamer import Streamer
from tests.pipelines.tiny import Video, stream, tiny_config, tiny_store


class Claim:
    """Tells a model how many replicas there are; they never meet through it."""

    def __init__(self, size: int, rank: int) -> None:
        self.size, self.rank = size, rank

    def sum_(self, tensor: Tensor) -> Tensor:
        raise AssertionError("the reference sums by hand")


class Worker:
    """One model with its stream, stepped by hand."""

    def __init__(self, videos: Sequence[Video], out: Path, model: Streamer) -> None:
        self.model = model
        self._stream: Iterator[Snippet | VideoEnd] = stream(videos)
        self._store = tiny_store(RunFolder(out))
        self._signals: list[Signal] = []

    def next_vector(self):
        """The next snippet's data, after the videos that end before it have been stored; None at the end."""
        for item in self._stream:
            if isinstance(item, Snippet):
                return item.data
            if item.status == "done":
                self._store.write(self.model.end_video(item.duration_s, item.video_id), self._signals)
            else:
                self.model.lane.start_video()
            self._signals = []
        return None

    def note(self, signals: Sequence[Signal]) -> None:
        self._signals += signals


def summed_gradients(shares: Sequence[Sequence[Video]], out: Path) -> list[Worker]:
    """One model in as many copies as there are shares, with a barrier after every snippet."""
    size = len(shares)
    models = [Streamer(tiny_config(), seed=3, replicas=Claim(size, rank)) for rank in range(size)]
    workers = [Worker(videos, out, model) for videos, model in zip(shares, models, strict=True)]
    active = True
    while active:
        active = False
        due = []
        for worker in workers:
            vector = worker.next_vector()
            observation = None if vector is None else worker.model.advance(vector)
            due.append(observation.due if observation else [])
            if observation:
                worker.note(observation.signals)
                active = True
        _meet(models, due)
    _share(models)
    return workers


def _meet(models: Sequence[Streamer], due) -> None:
    learners = [model.learner for model in models]
    losses = _column_sums([learner.losses.since_barrier for learner in learners if learner])
    inputs = _column_sums([model.inputs.since_barrier for model in models])
    num_levels = max(len(model.levels) for model in models)
    for model, losses_due in zip(models, due, strict=True):
        while len(model.levels) < num_levels:
            model.grow()
        assert model.learner is not None
        model.learner.losses.merge(losses)
        model.inputs.merge(inputs)
        model.learn(losses_due)
    first = models[0].learner
    assert first is not None
    if first.losses.total[num_levels - 1] < first.config.optimize_every * len(models):
        return
    _share(models)
    for model in models:
        assert model.learner is not None
        model.learner.step()
        model.parameters_changed()


def _share(models: Sequence[Streamer]) -> None:
    """Gives all models the sums of gradients and counters, and the tables that have been looked up."""
    learners = [model.learner for model in models if model.learner]
    for sums in zip(*([*learner.f_sums, *learner.p_sums] for learner in learners), strict=True):
        flat, counter = torch.stack([s.flat for s in sums]).sum(0), sum(s.counter for s in sums)
        for gradient_sum in sums:
            gradient_sum.flat.copy_(flat)
            gradient_sum.counter = counter
    for tables in zip(*(model.levels.tables for model in models), strict=True):
        rows = max(table.bounded for table in tables)
        for table in tables:
            table.bound(rows)


def averaged_parameters(shares: Sequence[Sequence[Video]], sync_every: int, out: Path) -> list[Worker]:
    """Models that learn alone, averaged after every `sync_every` snippets if any has taken a step."""
    models = [Streamer(tiny_config(), seed=3) for _ in shares]
    workers = [Worker(videos, out, model) for videos, model in zip(shares, models, strict=True)]
    averaged_steps = 0
    while True:
        active = [_learn_alone(worker, sync_every) for worker in workers]
        seen = [model for model, observed in zip(models, active, strict=True) if observed]
        if not seen:
            break
        steps = sum(model.learner.steps for model in models if model.learner)
        if len({len(model.levels) for model in seen}) == 1 and steps > averaged_steps:
            _average(seen, models)
            averaged_steps = steps
    most = max(models, key=lambda model: len(model.levels))
    _average([most], models)
    return workers


def _learn_alone(worker: Worker, snippets: int) -> bool:
    observed = False
    for _ in range(snippets):
        vector = worker.next_vector()
        if vector is None:
            break
        worker.note(worker.model.observe(vector))
        observed = True
    return observed


def _average(sources: Sequence[Streamer], models: Sequence[Streamer]) -> None:
    num_levels = len(sources[0].levels)
    stacks = zip(*([*source.levels.parameters()] for source in sources), strict=True)
    means = [torch.stack([p.detach() for p in parameters]).mean(0) for parameters in stacks]
    for model in models:
        while len(model.levels) < num_levels:
            model.grow()
        own = [p for level in list(model.levels)[:num_levels] for p in level.parameters()]
        with torch.no_grad():
            for parameter, mean in zip(own, means, strict=True):
                parameter.copy_(mean)
        model.parameters_changed()


def _column_sums(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]
