"""The engine against the definition: B lanes are B plain models that add up their gradients and counters."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import DemarcationConfig, StreamerConfig
from streamer.demarcation_config import ADAPTIVE_MODES
from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests.oracle import fill_level
from tests.plain.shared_lanes import Seen, SharedLanes, Video
from tests.plain.streamer import PlainStreamer
from tests.streamer.lanes import (
    SIZE,
    Lengths,
    assert_same_model,
    assert_same_videos,
    base_steps,
    engine,
    make_streams,
    run_lanes,
    snippets,
)
from tests.streamer.meeting import Meeting
from tests.streamer.tiny import tiny

VECTORS = tiny(evolve_every=3, working_set_size=3, force_fixed_buffer=True, learning={"optimize_every": 2})
FRAMES = dataclasses.replace(VECTORS, modality="frames", frame_size=SIZE, channels=(4, 4, 8, 8))
CONFIGS = {"vectors": VECTORS, "frames": FRAMES}
# Flushes and encoding ahead come in the middle of everything.
TINY_BATCHES = {
    "2 and 3": Schedule(flush_losses=2, encode_ahead=3),
    "7 and 5": Schedule(flush_losses=7, encode_ahead=5),
}
SCHEDULES = {
    "one by one": Schedule(flush_losses=1, encode_ahead=1),
    **TINY_BATCHES,
    "by default": Schedule(),
}
STREAMS: dict[str, Lengths] = {
    "one lane": [[(40, None), (13, None)]],
    "lanes that end at different times": [[(21, None), (33, None)], [(30, None)], [(9, None), (42, None)]],
    "a lane without videos": [[(50, None)], []],
    "videos that are dropped": [[(20, 11), (30, None)], [(40, None), (9, 3), (5, None)]],
}


@functools.cache
def defined(modality: str, name: str) -> tuple[list[list[Video]], SharedLanes, list[list[Seen]]]:
    """Streams and what the definition makes of them."""
    streams = make_streams(modality, STREAMS[name])
    reference = SharedLanes(CONFIGS[modality], len(streams))
    return streams, reference, reference.run(streams)


@pytest.mark.parametrize("name", list(STREAMS))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_the_definition_grows_and_steps_in_the_middle(modality, name):
    """Else the comparisons below would compare little."""
    _, reference, seen = defined(modality, name)
    assert reference.learner is not None
    assert reference.learner.steps >= 3
    assert len(reference.levels) == 3
    signals = [signal for videos in seen for one in videos for signal in one.signals]
    assert {(level, cut) for _, level, _, cut in signals} >= {(0, True), (0, False), (1, True), (2, False)}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
@pytest.mark.parametrize("name", list(STREAMS))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_lanes_equal_plain_models_with_a_common_step(modality, name, schedule):
    streams, reference, expected = defined(modality, name)
    model = engine(CONFIGS[modality], len(streams), schedule)
    got = run_lanes(model, streams, at_once=schedule.encode_ahead)
    assert_same_videos(got, expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("schedule", TINY_BATCHES.values(), ids=list(TINY_BATCHES))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_observing_one_by_one_equals_a_plain_model(modality, schedule):
    model = engine(CONFIGS[modality], 1, schedule)
    plain = PlainStreamer(CONFIGS[modality], dtype=torch.float64)
    for length, seed in ((31, 1), (7, 2)):
        shown = snippets(modality, length, seed)
        seen = []
        for each in (model, plain):
            observed = [signal for x in shown for signal in each.observe(x)]
            signals = [(s.index, s.level, s.value, s.boundary) for s in observed]
            seen.append(Seen(signals, each.end_video().levels))
        assert_same_videos([seen[:1]], [seen[1:]])
    assert plain.learner is not None
    assert plain.learner.steps >= 3
    model.gather()
    assert_same_model(model, plain)


FOUR = [[(17, None), (20, None)], [(30, None)], [], [(5, None), (31, None)]]


@pytest.mark.parametrize("replicas", [1, 2, 4])
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_replicas_times_lanes_do_not_matter(modality, replicas):
    config, streams = CONFIGS[modality], make_streams(modality, FOUR)
    lanes = len(streams) // replicas
    meeting, schedule = Meeting(replicas), TINY_BATCHES["2 and 3"]
    # Initial parameters by name: the generator of random numbers is shared by all threads.
    models = [
        engine(config, lanes, schedule, replicas=member, initialize=fill_level)
        for member in meeting.members()
    ]
    steps = base_steps(streams)
    shares = [streams[rank * lanes : (rank + 1) * lanes] for rank in range(replicas)]
    runs = meeting.run(
        [
            lambda model=model, share=share: run_lanes(model, share, at_once=3, steps=steps)
            for model, share in zip(models, shares, strict=True)
        ]
    )
    expected, reference = four_lanes(modality)
    assert_same_videos([seen for run in runs for seen in run], expected)
    for model in models:
        assert_same_model(model, reference)


@functools.cache
def four_lanes(modality: str) -> tuple[list[list[Seen]], SharedLanes]:
    reference = SharedLanes(CONFIGS[modality], len(FOUR), initialize=fill_level)
    seen = reference.run(make_streams(modality, FOUR))
    assert reference.learner is not None
    assert reference.learner.steps > 2
    return seen, reference


@pytest.mark.parametrize("schedule", TINY_BATCHES.values(), ids=list(TINY_BATCHES))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_barriers_may_come_after_several_base_steps(modality, schedule):
    config, streams = CONFIGS[modality], make_streams(modality, [[(24, None), (9, None)], [(36, None)]])
    reference, model = SharedLanes(config, 2), engine(config, 2, schedule)
    expected = reference.run(streams, sync_every=4)
    assert reference.learner is not None
    assert reference.learner.steps > 2
    assert_same_videos(run_lanes(model, streams, at_once=schedule.encode_ahead, sync_every=4), expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("schedule", TINY_BATCHES.values(), ids=list(TINY_BATCHES))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_lanes_that_do_not_learn_equal_plain_models(modality, schedule):
    config = dataclasses.replace(CONFIGS[modality], initial_levels=3)
    streams = make_streams(modality, [[(20, None), (11, None)], [], [(30, 14), (16, None)]])
    reference = SharedLanes(config, 3, train=False)
    model = engine(config, 3, schedule, train=False)
    expected = reference.run(streams)
    assert {level for _, level, _, _ in expected[0][0].signals} == {0, 1, 2}
    assert_same_videos(run_lanes(model, streams, at_once=schedule.encode_ahead), expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("schedule", TINY_BATCHES.values(), ids=list(TINY_BATCHES))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_parameters_may_be_changed_from_outside_between_two_base_steps(modality, schedule):
    """Once losses are settled: what still has to be learned goes by the parameters as they were."""
    config = dataclasses.replace(CONFIGS[modality], initial_levels=2)
    streams = make_streams(modality, [[(26, None)], [(14, None), (12, None)]])
    reference, model = SharedLanes(config, 2), engine(config, 2, schedule)

    def change(changed: Streamer | SharedLanes, base_step: int) -> None:
        if base_step in (6, 17):
            if isinstance(changed, Streamer):
                changed.settle()
            with torch.no_grad():
                for parameter in changed.levels.parameters():
                    parameter.mul_(0.9)
            changed.parameters_changed()

    expected = reference.run(streams, after_base_step=functools.partial(change, reference))
    got = run_lanes(
        model, streams, at_once=schedule.encode_ahead, after_base_step=functools.partial(change, model)
    )
    assert_same_videos(got, expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("schedule", TINY_BATCHES.values(), ids=list(TINY_BATCHES))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_levels_may_be_created_from_outside_between_two_base_steps(modality, schedule):
    """Losses from before are weighed by the levels that there were."""
    config = dataclasses.replace(CONFIGS[modality], evolve_every=1000)
    streams = make_streams(modality, [[(26, None)], [(14, None), (12, None)]])
    reference, model = SharedLanes(config, 2), engine(config, 2, schedule)

    def grow(grown: Streamer | SharedLanes, base_step: int) -> None:
        if base_step in (4, 5):
            grown.grow()

    expected = reference.run(streams, after_base_step=functools.partial(grow, reference))
    assert len(reference.levels) == 3
    got = run_lanes(
        model, streams, at_once=schedule.encode_ahead, after_base_step=functools.partial(grow, model)
    )
    assert_same_videos(got, expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("schedule", TINY_BATCHES.values(), ids=list(TINY_BATCHES))
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_losses_may_be_settled_at_any_time(modality, schedule):
    """Losses to come share representations and frames with those that have been settled."""
    name = "lanes that end at different times"
    streams, reference, expected = defined(modality, name)
    model = engine(CONFIGS[modality], len(streams), schedule)

    def settle(base_step: int) -> None:
        if base_step % 3 == 0:
            model.settle()

    got = run_lanes(model, streams, at_once=schedule.encode_ahead, after_base_step=settle)
    assert_same_videos(got, expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("distance", ["similarity", "distance"])
@pytest.mark.parametrize("modality", list(CONFIGS))
def test_inputs_that_are_zero_or_repeat_equal_plain_models(modality, distance):
    """Boundaries at full buffers alone: signals that are equal but for rounding would move others."""
    threshold = -2.0 if distance == "similarity" else 1e9
    config = dataclasses.replace(
        CONFIGS[modality],
        distance=distance,
        demarcation=DemarcationConfig(mode="fixed", threshold=threshold),
    )
    shown = snippets(modality, 40, 3)
    still = shown[:1].expand_as(shown)
    streams = [[Video(torch.zeros_like(shown))], [Video(still), Video(shown[:9])]]
    reference, model = SharedLanes(config, 2), engine(config, 2, TINY_BATCHES["7 and 5"])
    expected = reference.run(streams)
    assert reference.learner is not None
    assert reference.learner.steps > 0
    assert_same_videos(run_lanes(model, streams, at_once=5), expected)
    assert_same_model(model, reference)


ADAPTIVE_RULES = [
    *({"mode": mode, "window_size": 8, "least_length": least} for mode in ADAPTIVE_MODES for least in (1, 3)),
    *({"mode": mode, "window_size": 20, "share": 0.5} for mode in ("quantile", "peak")),
    {"mode": "deviation", "window_size": 6, "deviations": 0.3},
]
RULES: dict[str, list[dict[str, Any]]] = {
    "similarity": [
        *({"window_size": size, "modifier": factor} for size in (1, 3, 50) for factor in (0.8, 1.0, 1.2)),
        *({"window_size": 5, "modifier_type": "add", "modifier": offset} for offset in (-0.1, 0.0, 0.1)),
        *({"mode": "fixed", "threshold": threshold} for threshold in (-2.0, 0.0, 0.5, 2.0)),
        *ADAPTIVE_RULES,
    ],
    "distance": [
        *({"window_size": size, "modifier": factor} for size in (1, 3, 50) for factor in (0.8, 1.0, 1.2)),
        *({"window_size": 5, "modifier_type": "add", "modifier": offset} for offset in (-0.1, 0.0, 0.1)),
        *({"mode": "fixed", "threshold": threshold} for threshold in (-1.0, 0.8, 2.0, 1e9)),
        *({"mode": "accumulate", "threshold": threshold} for threshold in (1.0, 5.0)),
        *ADAPTIVE_RULES,
    ],
}


@st.composite
def configurations(draw: st.DrawFn) -> StreamerConfig:
    distance = draw(st.sampled_from(["similarity", "distance"]))
    modality = draw(st.sampled_from(["vectors", "vectors", "frames"]))
    max_levels = draw(st.integers(1, 4))
    residual = draw(st.booleans())
    replay = 0 if modality == "frames" else draw(st.sampled_from([0, 0, 16, 40]))
    mixing = residual and modality == "vectors" and draw(st.booleans())
    return tiny(
        modality=modality,
        frame_size=SIZE,
        channels=(2, 3, 4, 5),
        normalize_pixels=modality == "frames" and draw(st.booleans()),
        snippet_size=draw(st.sampled_from([0.5, 0.3])),
        max_levels=max_levels,
        initial_levels=draw(st.just(1) | st.integers(1, max_levels)),
        evolve_every=draw(st.integers(0, 5) | st.integers(0, 20)),
        working_set_size=draw(st.integers(1, 5)),
        force_fixed_buffer=draw(st.booleans()),
        distance=distance,
        force_base_distance=distance == "similarity" and draw(st.booleans()),
        residual=residual,
        shortcut=residual and modality == "vectors" and draw(st.booleans()),
        mixing=mixing,
        recall=draw(st.sampled_from([0, 3, 5, 30])) if mixing else 0,
        center=modality == "vectors" and draw(st.booleans()),
        demarcation=DemarcationConfig(**draw(st.sampled_from(RULES[distance]))),
        learning={
            "lr": draw(st.sampled_from([1e-3, 1e-2])),
            "alpha": draw(st.sampled_from([0.5, 1.0, 3.0])),
            "optimize_every": draw(st.integers(1, 2) | st.integers(1, 5)),
            "step_level": draw(st.sampled_from(["highest", "lowest"])),
            "keep_predictions": draw(st.booleans()),
            "replay": replay,
            "replay_from": draw(st.sampled_from(["all", "recent"])) if replay else "all",
            "hgn_timescale": draw(st.booleans()),
            "hgn_reach": draw(st.booleans()),
        },
    )


@st.composite
def lengths_of_videos(draw: st.DrawFn) -> Lengths:
    first = [draw(st.integers(15, 45)), *draw(st.lists(st.integers(1, 20), max_size=2))]
    lanes = [first, *draw(st.lists(st.lists(st.integers(1, 30), max_size=3), max_size=2))]
    return [[(length, draw(st.none() | st.integers(1, length))) for length in videos] for videos in lanes]


def as_bytes(video: Video) -> Video:
    """The same frames as decoders give them."""
    frames_BHH3 = np.moveaxis(np.asarray(video.snippets), 1, 3)
    return Video(((frames_BHH3 + 1) * 127.5).astype(np.uint8), video.dropped_after)


@dataclasses.dataclass(frozen=True)
class Showing:
    """How streams reach a model: what must not matter, and how often lanes look at each other."""

    schedule: Schedule
    at_once: int
    refill_at: int
    settled: set[int]
    sync_every: int


SHOWINGS = st.builds(
    Showing,
    schedule=st.builds(Schedule, flush_losses=st.integers(1, 12), encode_ahead=st.integers(1, 8)),
    at_once=st.integers(1, 8),
    refill_at=st.integers(0, 4),
    settled=st.sets(st.integers(0, 60), max_size=5),
    sync_every=st.sampled_from([1, 1, 1, 2, 5]),
)


@given(
    config=configurations(),
    lengths=lengths_of_videos(),
    seed=st.integers(0, 10**6),
    in_bytes=st.booleans(),
    showing=SHOWINGS,
    train=st.sampled_from([True, True, True, False]),
)
@settings(max_examples=40, deadline=None)
def test_any_model_on_any_streams_equals_plain_models(config, lengths, seed, in_bytes, showing, train):
    streams = make_streams(config.modality, lengths, seed)
    if in_bytes and config.modality == "frames":
        streams = [[as_bytes(video) for video in videos] for videos in streams]
    reference = SharedLanes(config, len(streams), train=train, seed=seed)
    expected = reference.run(streams, sync_every=showing.sync_every)
    model = engine(config, len(streams), showing.schedule, train=train, seed=seed)
    got = run_lanes(
        model,
        streams,
        at_once=showing.at_once,
        refill_at=showing.refill_at,
        sync_every=showing.sync_every,
        after_base_step=lambda base_step: model.settle() if base_step in showing.settled else None,
    )
    assert_same_videos(got, expected)
    assert_same_model(model, reference)
