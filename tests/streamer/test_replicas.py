"""B lanes equal B models whose gradients and counters are added before a common step."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from streamer.config import StreamerConfig
from streamer.hierarchy import Hierarchy
from streamer.lane import DueLoss, Lane, Signal
from streamer.learner import Learner
from streamer.levels import Levels
from streamer.streamer import Streamer
from streamer.tally import Tally
from tests.oracle import fill_level
from tests.streamer.tiny import same, tiny, vectors

TIMEOUT_S = 60
Video = tuple[list[Signal], list[list[float]]]


class Meeting:
    """Replicas in the threads of one process."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.barrier = threading.Barrier(size, timeout=TIMEOUT_S)
        self.slots: list[Tensor] = [torch.zeros(0)] * size

    def members(self) -> "list[Member]":
        return [Member(self, rank) for rank in range(self.size)]


class Member:
    def __init__(self, meeting: Meeting, rank: int) -> None:
        self.meeting, self.rank, self.size = meeting, rank, meeting.size

    def sum_(self, tensor: Tensor) -> Tensor:
        self.meeting.slots[self.rank] = tensor.clone()
        self.meeting.barrier.wait()
        total = sum(self.meeting.slots[1:], start=self.meeting.slots[0])
        self.meeting.barrier.wait()
        return tensor.copy_(total)


def steps_of(videos: list[Tensor]) -> Iterator[tuple[Tensor, bool]]:
    """Snippets of a lane's videos, each with whether its video ends there."""
    for video in videos:
        for index, x in enumerate(video):
            yield x, index == len(video) - 1


def starts(levels) -> list[list[float]]:
    return [[event.start_s for event in events] for events in levels]


def run_replica(model: Streamer, videos: list[Tensor], base_steps: int) -> list[Video]:
    steps, seen, signals = steps_of(videos), [], []
    for _ in range(base_steps):
        x, last = next(steps, (None, False))
        if x is None:
            model.barrier(())
            continue
        observation = model.advance(x)
        signals += observation.signals
        model.barrier(observation.due)
        if last:
            seen.append((signals, starts(model.end_video().levels)))
            signals = []
    model.gather()
    return seen


def run_replicas(
    config: StreamerConfig, lanes: list[list[Tensor]]
) -> tuple[list[Streamer], list[list[Video]]]:
    meeting = Meeting(len(lanes))
    models = [
        Streamer(config, dtype=torch.float64, replicas=member, initialize=fill_level)
        for member in meeting.members()
    ]
    base_steps = max(sum(map(len, videos)) for videos in lanes)

    def run(model: Streamer, videos: list[Tensor]) -> list[Video]:
        try:
            return run_replica(model, videos, base_steps)
        except BaseException:
            meeting.barrier.abort()
            raise

    with ThreadPoolExecutor(len(lanes)) as pool:
        return models, list(pool.map(run, models, lanes))


class SharedLanes:
    """The definition of lanes: own states, shared parameters, gradients and counters; no replicas."""

    def __init__(self, config: StreamerConfig, size: int) -> None:
        self.levels = Levels(config, dtype=torch.float64, initialize=fill_level)
        self.inputs = Tally(config.max_levels)
        self.learner = Learner(self.levels, config.learning, size)
        self.lanes = [
            Lane(self.levels, self.inputs, self.grow, config.evolve_every * size) for _ in range(size)
        ]

    def grow(self) -> None:
        self.learner.add_level(self.levels.grow())

    def learn(self, due: list[DueLoss]) -> None:
        for loss in due:
            self.learner.losses.count(loss.level)
        self.learner.losses.merge(self.learner.losses.since_barrier)
        self.inputs.merge(self.inputs.since_barrier)
        self.learner.accumulate(due)
        if self.learner.step_due():
            self.learner.step()
            self.levels.parameters_changed()
            for lane in self.lanes:
                lane.forget()

    def run(self, streams: list[list[Tensor]]) -> list[list[Video]]:
        seen: list[list[Video]] = [[] for _ in self.lanes]
        signals: list[list[Signal]] = [[] for _ in self.lanes]
        for row in itertools.zip_longest(*map(steps_of, streams)):
            due, ending = [], []
            for rank, step in enumerate(row):
                if step is None:
                    continue
                observation = self.lanes[rank].observe(step[0])
                due += observation.due
                signals[rank] += observation.signals
                ending += [rank] if step[1] else []
            self.learn(due)
            for rank in ending:
                lane = self.lanes[rank]
                seen[rank].append((signals[rank], starts(lane.end_video(lane.index * 0.5))))
                signals[rank] = []
        return seen


CONFIG = tiny(evolve_every=8, force_fixed_buffer=True, learning={"optimize_every": 2})
STREAMS = {
    "one lane": [[vectors(50, 1), vectors(20, 2)]],
    "equal lengths": [[vectors(60, 1)], [vectors(60, 2)]],
    "uneven lengths": [[vectors(25, 1), vectors(65, 2)], [vectors(35, 3)], [vectors(9, 4), vectors(50, 5)]],
    "a lane without videos": [[vectors(70, 1)], []],
}


def assert_same_videos(got: list[list[Video]], expected: list[list[Video]]) -> None:
    for videos, others in zip(got, expected, strict=True):
        for (signals, events), (other_signals, other_events) in zip(videos, others, strict=True):
            assert events == other_events
            keys = [(s.index, s.level, s.boundary) for s in signals]
            assert keys == [(s.index, s.level, s.boundary) for s in other_signals]
            expected_values = [s.value for s in other_signals]
            assert [s.value for s in signals] == pytest.approx(expected_values, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("streams", STREAMS.values(), ids=list(STREAMS))
def test_replicas_equal_lanes_that_share_everything(streams):
    models, got = run_replicas(CONFIG, streams)
    shared = SharedLanes(CONFIG, len(streams))
    assert_same_videos(got, shared.run(streams))
    for model in models:
        assert model.learner is not None
        assert model.learner.steps == shared.learner.steps > 3
        assert len(model.levels) == len(shared.levels) == 3
        for own, other in zip(model.levels.parameters(), shared.levels.parameters(), strict=True):
            torch.testing.assert_close(own, other, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("streams", STREAMS.values(), ids=list(STREAMS))
def test_replicas_are_equal_to_the_bit(streams):
    models, _ = run_replicas(CONFIG, streams)
    first = models[0]
    assert first.learner is not None
    for model in models[1:]:
        assert model.learner is not None
        for name, parameter in first.levels.named_parameters():
            assert torch.equal(parameter, model.levels.get_parameter(name)), name
        for one, other in zip(
            (*first.learner.f_sums, *first.learner.p_sums),
            (*model.learner.f_sums, *model.learner.p_sums),
            strict=True,
        ):
            assert torch.equal(one.flat, other.flat)
            assert one.counter == other.counter
        assert model.inputs.total == first.inputs.total
        assert model.learner.losses.total == first.learner.losses.total


def test_one_replica_of_one_equals_a_model_alone():
    videos = STREAMS["one lane"]
    _, [got] = run_replicas(CONFIG, videos)
    model = Streamer(CONFIG, dtype=torch.float64, initialize=fill_level)
    for (signals, events), video in zip(got, videos[0], strict=True):
        own = [signal for x in video for signal in model.observe(x)]
        assert own == signals
        assert starts(model.end_video().levels) == events


def test_flags_are_summed():
    meeting = Meeting(2)
    models = [Streamer(CONFIG, replicas=member) for member in meeting.members()]
    with ThreadPoolExecutor(2) as pool:
        sums = list(pool.map(lambda model: model.barrier((), [model.replicas.rank, 2.5]), models))
    assert sums == [[1.0, 5.0]] * 2


def test_initial_parameters_follow_from_seed_and_level_alone():
    grown, ready = Streamer(tiny(), seed=3), Streamer(tiny(initial_levels=3), seed=3)
    torch.manual_seed(99)
    grown.grow()
    torch.randn(5)
    grown.grow()
    for one, other in zip(grown.levels.parameters(), ready.levels.parameters(), strict=True):
        assert torch.equal(one, other)
    other_seed = Streamer(tiny(initial_levels=3), seed=4)
    assert not torch.equal(other_seed.levels[0].f.pos_enc.weight, ready.levels[0].f.pos_enc.weight)
    assert not torch.equal(ready.levels[1].f.pos_enc.weight, ready.levels[0].f.pos_enc.weight)


def test_creating_levels_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Streamer(tiny(initial_levels=2))
    assert torch.equal(torch.rand(3), expected)


def test_hierarchies_of_two_runs_with_one_seed_are_equal():
    def run() -> Hierarchy:
        model = Streamer(CONFIG, seed=7)
        for x in vectors(60, 9):
            model.observe(x)
        return model.end_video()

    assert same(run(), run())
