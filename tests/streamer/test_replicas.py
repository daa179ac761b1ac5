"""Replicas of one model: equal to the bit, and made from the seed alone.

That they compute what one model with all their lanes computes is tested in `test_lanes.py`.
"""

import pytest
import torch

from streamer.hierarchy import Hierarchy
from streamer.streamer import Streamer
from tests.oracle import fill_level
from tests.plain.levels import Levels as PlainLevels
from tests.plain.shared_lanes import Video
from tests.streamer.lanes import base_steps, run_lanes
from tests.streamer.meeting import Meeting
from tests.streamer.tiny import same, tiny, vectors


def video(n: int, seed: int) -> Video:
    return Video(vectors(n, seed))


CONFIG = tiny(evolve_every=8, force_fixed_buffer=True, learning={"optimize_every": 2})
# Per replica and lane.
STREAMS = {
    "equal lengths": [[[video(60, 1)]], [[video(60, 2)]]],
    "uneven lengths": [
        [[video(25, 1), video(65, 2)]],
        [[video(35, 3)]],
        [[video(9, 4), video(50, 5)]],
    ],
    "two lanes each": [[[video(30, 1)], [video(60, 2)]], [[video(9, 4), video(40, 5)], []]],
    "a replica without videos": [[[video(70, 1)]], [[]]],
}


@pytest.mark.parametrize("streams", STREAMS.values(), ids=list(STREAMS))
def test_replicas_are_equal_to_the_bit(streams):
    meeting = Meeting(len(streams))
    models = [
        Streamer(CONFIG, lanes=len(streams[0]), replicas=member, initialize=fill_level)
        for member in meeting.members()
    ]
    steps = max(map(base_steps, streams))
    meeting.run(
        [
            lambda model=model, lanes=lanes: run_lanes(model, lanes, at_once=4, steps=steps)
            for model, lanes in zip(models, streams, strict=True)
        ]
    )
    first = models[0]
    assert first.learner is not None
    assert first.learner.steps > 3
    assert len(first.levels) == 3
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


def test_flags_are_summed():
    meeting = Meeting(2)
    models = [Streamer(CONFIG, replicas=member) for member in meeting.members()]
    sums = meeting.run([lambda model=model: model.barrier([model.replicas.rank, 2.5]) for model in models])
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


@pytest.mark.parametrize("modality", ["vectors", "frames"])
def test_names_and_initial_parameters_are_those_of_the_plain_model(modality):
    config = tiny(initial_levels=3, modality=modality, frame_size=16, channels=(2, 3, 4, 5))
    levels, plain = Streamer(config, seed=3).levels, PlainLevels(config, seed=3)
    for level, other in zip(levels, plain, strict=True):
        own, expected = dict(level.named_parameters()), dict(other.named_parameters())
        assert list(own) == list(expected)
        assert all(torch.equal(own[name], parameter) for name, parameter in expected.items())


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
