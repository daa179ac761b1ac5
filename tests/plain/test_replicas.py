"""Lanes that share everything equal as many models whose gradients and counters are added."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from streamer.config import StreamerConfig
from tests.oracle import fill_level
from tests.plain.shared_lanes import Seen, SharedLanes, Video, turns
from tests.plain.streamer import PlainStreamer
from tests.streamer.lanes import assert_same_videos
from tests.streamer.meeting import Meeting
from tests.streamer.tiny import tiny, vectors


def run_replica(model: PlainStreamer, videos: Sequence[Video], base_steps: int) -> list[Seen]:
    steps, seen, signals = turns(videos), [], []
    for _ in range(base_steps):
        turn = next(steps, None)
        if turn is None:
            model.barrier(())
            continue
        observation = model.advance(turn.video.snippets[turn.index])
        signals += [(s.index, s.level, s.value, s.boundary) for s in observation.signals]
        model.barrier(observation.due)
        if turn.last:
            seen.append(Seen(signals, model.end_video().levels))
            signals = []
    model.gather()
    return seen


def run_replicas(
    config: StreamerConfig, streams: Sequence[Sequence[Video]]
) -> tuple[list[PlainStreamer], list[list[Seen]]]:
    meeting = Meeting(len(streams))
    models = [
        PlainStreamer(config, dtype=torch.float64, replicas=member, initialize=fill_level)
        for member in meeting.members()
    ]
    base_steps = max(sum(video.length for video in videos) for videos in streams)
    parts = [
        lambda model=model, videos=videos: run_replica(model, videos, base_steps)
        for model, videos in zip(models, streams, strict=True)
    ]
    return models, meeting.run(parts)


def video(n: int, seed: int) -> Video:
    return Video(vectors(n, seed))


CONFIG = tiny(evolve_every=8, force_fixed_buffer=True, learning={"optimize_every": 2})
STREAMS = {
    "one lane": [[video(50, 1), video(20, 2)]],
    "equal lengths": [[video(60, 1)], [video(60, 2)]],
    "uneven lengths": [[video(25, 1), video(65, 2)], [video(35, 3)], [video(9, 4), video(50, 5)]],
    "a lane without videos": [[video(70, 1)], []],
}


@pytest.mark.parametrize("streams", STREAMS.values(), ids=list(STREAMS))
def test_replicas_equal_lanes_that_share_everything(streams):
    models, got = run_replicas(CONFIG, streams)
    shared = SharedLanes(CONFIG, len(streams), initialize=fill_level)
    assert_same_videos(got, shared.run(streams))
    assert shared.learner is not None
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


def test_one_lane_equals_a_model_alone():
    [videos] = STREAMS["one lane"]
    [seen] = SharedLanes(CONFIG, 1, initialize=fill_level).run([videos])
    model = PlainStreamer(CONFIG, dtype=torch.float64, initialize=fill_level)
    for expected, shown in zip(seen, videos, strict=True):
        observed = [signal for x in shown.snippets for signal in model.observe(x)]
        signals = [(s.index, s.level, s.value, s.boundary) for s in observed]
        assert signals == expected.signals
        assert_same_videos([[Seen(signals, model.end_video().levels)]], [[expected]])
