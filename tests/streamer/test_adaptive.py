"""Settings that the published model does not have: the engine against the definition."""

from __future__ import annotations

import functools

import pytest
import torch

from streamer.config import StreamerConfig
from streamer.demarcation_config import DemarcationConfig
from streamer.schedule import Schedule
from tests.oracle import fill_level
from tests.plain.shared_lanes import Seen, SharedLanes, Video
from tests.streamer.lanes import (
    SIZE,
    Lengths,
    assert_same_model,
    assert_same_videos,
    base_steps,
    engine,
    make_streams,
    run_lanes,
)
from tests.streamer.meeting import Meeting
from tests.streamer.tiny import tiny

BASE = {"evolve_every": 3, "working_set_size": 3, "force_fixed_buffer": True}
FRAMES = {**BASE, "modality": "frames", "frame_size": SIZE, "channels": (4, 4, 8, 8)}
RESIDUAL = {**BASE, "residual": True}
MIXING = {**RESIDUAL, "mixing": True}
UNFORCED = {"evolve_every": 3, "working_set_size": 3}
PEAKS = DemarcationConfig(mode="peak", window_size=8, share=0.5)
QUANTILES = DemarcationConfig(mode="quantile", window_size=8, share=0.4, least_length=2)
DEVIATIONS = DemarcationConfig(mode="deviation", window_size=8, deviations=0.5)
CALIBRATED = DemarcationConfig(mode="peak", window_size=20, least_length=2)
EVERY_3 = {"optimize_every": 3, "lr": 3e-3}
LOWEST = {**EVERY_3, "step_level": "lowest"}
KEPT = {**LOWEST, "keep_predictions": True}
REPLAY = {**KEPT, "replay": 12, "replay_batch": 5}
CASES: dict[str, StreamerConfig] = {
    "residual": tiny(**RESIDUAL, learning={"optimize_every": 2}),
    "peaks": tiny(**UNFORCED, demarcation=PEAKS, learning={"optimize_every": 1}),
    "peaks, forced ends, kept predictions": tiny(**RESIDUAL, demarcation=PEAKS, learning=KEPT),
    "peaks of frames, kept predictions": tiny(**FRAMES, residual=True, demarcation=PEAKS, learning=KEPT),
    "quantiles": tiny(**BASE, demarcation=QUANTILES, learning=LOWEST),
    "deviations": tiny(**UNFORCED, residual=True, demarcation=DEVIATIONS, learning=LOWEST),
    "peaks by timescales": tiny(
        **UNFORCED, max_levels=2, timescales=(1.5, 4.0), demarcation=CALIBRATED, learning=LOWEST
    ),
    "residual, one level": tiny(**RESIDUAL, max_levels=1, learning=EVERY_3),
    "residual, two levels of errors": tiny(**RESIDUAL, max_levels=2, distance="distance"),
    "residual of frames": tiny(**FRAMES, residual=True, learning={"optimize_every": 2}),
    "residual of frames, errors below": tiny(**FRAMES, residual=True, force_base_distance=True),
    "steps by the lowest level": tiny(**BASE, learning=LOWEST),
    "steps by the lowest level, frames": tiny(**FRAMES, residual=True, learning=LOWEST),
    "kept predictions": tiny(**BASE, learning=KEPT),
    "kept predictions, residual": tiny(**RESIDUAL, learning=KEPT),
    "kept predictions, residual, frames": tiny(**FRAMES, residual=True, learning=KEPT),
    "replay": tiny(**BASE, learning={"optimize_every": 2, "replay": 8, "replay_batch": 8}),
    "replay, residual": tiny(**RESIDUAL, learning=REPLAY),
    "replay, most recent": tiny(**RESIDUAL, learning={**REPLAY, "replay_from": "recent"}),
    "replay, one level of errors": tiny(**RESIDUAL, max_levels=1, distance="distance", learning=REPLAY),
    "shortcut": tiny(**RESIDUAL, shortcut=True, learning={"optimize_every": 2}),
    "shortcut, replay": tiny(**RESIDUAL, shortcut=True, center=True, learning=REPLAY),
    "shortcut, two levels of errors": tiny(
        **RESIDUAL, shortcut=True, max_levels=2, distance="distance", learning=REPLAY
    ),
    "everything": tiny(
        **{**UNFORCED, "residual": True, "mixing": True, "recall": 12, "shortcut": True, "center": True},
        demarcation=DemarcationConfig(mode="peak", window_size=8, share=0.5, relative=True),
        learning={**REPLAY, "replay_from": "recent"},
    ),
    "mixing after steps that empty": tiny(**MIXING, center=True, learning=EVERY_3),
    "mixing, one level of errors": tiny(**MIXING, max_levels=1, distance="distance", learning=KEPT),
    "recall": tiny(**MIXING, recall=40, learning=LOWEST),
    "recall of few, centred, replay": tiny(**MIXING, recall=5, center=True, learning=REPLAY),
    "recall of fewest, errors": tiny(**MIXING, recall=3, force_base_distance=True, learning=REPLAY),
    "centred": tiny(**BASE, center=True, learning={"optimize_every": 2}),
    "centred, replay, residual": tiny(**RESIDUAL, center=True, learning=REPLAY),
    "replay, in full": tiny(
        **RESIDUAL, learning={**REPLAY, "hgn_reach": False, "hgn_timescale": False, "replay": 200}
    ),
}
LENGTHS: dict[str, Lengths] = {
    "one lane": [[(37, None), (13, None)]],
    "three lanes": [[(21, None), (19, None)], [(20, 11), (30, None)], [(9, None), (29, None)]],
}
SCHEDULES = {
    "one by one": Schedule(flush_losses=1, encode_ahead=1),
    "2 and 3": Schedule(flush_losses=2, encode_ahead=3),
    "by default": Schedule(),
}


@functools.cache
def defined(name: str, lanes: str) -> tuple[list[list[Video]], SharedLanes, list[list[Seen]]]:
    """Streams and what the definition makes of them."""
    streams = make_streams(CASES[name].modality, LENGTHS[lanes])
    reference = SharedLanes(CASES[name], len(streams), initialize=fill_level)
    return streams, reference, reference.run(streams)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
@pytest.mark.parametrize("lanes", list(LENGTHS))
@pytest.mark.parametrize("name", list(CASES))
def test_the_engine_equals_the_definition(name, lanes, schedule):
    streams, reference, expected = defined(name, lanes)
    assert reference.learner is not None
    assert reference.learner.steps >= 2
    model = engine(CASES[name], len(streams), schedule, initialize=fill_level)
    assert_same_videos(run_lanes(model, streams, at_once=schedule.encode_ahead), expected)
    assert_same_model(model, reference)


@pytest.mark.parametrize("name", list(CASES))
def test_three_replicas_equal_three_lanes_and_each_other_to_the_bit(name):
    streams, reference, expected = defined(name, "three lanes")
    meeting = Meeting(len(streams))
    models = [
        engine(CASES[name], 1, SCHEDULES["2 and 3"], replicas=member, initialize=fill_level)
        for member in meeting.members()
    ]
    steps = base_steps(streams)
    runs = meeting.run(
        [
            lambda model=model, share=share: run_lanes(model, [share], at_once=3, steps=steps)
            for model, share in zip(models, streams, strict=True)
        ]
    )
    assert_same_videos([seen for run in runs for seen in run], expected)
    for model in models:
        assert_same_model(model, reference)
        for one, other in zip(model.levels.parameters(), models[0].levels.parameters(), strict=True):
            assert torch.equal(one, other)


def test_a_residual_model_begins_with_what_came_last():
    """Before it has learned, its signal is the similarity of neighbours."""
    config = tiny(residual=True, max_levels=1)
    [[video]] = make_streams("vectors", [[(20, None)]])
    [[seen]] = run_lanes(engine(config, 1, train=False), [[video]])
    x = torch.as_tensor(video.snippets)
    expected = torch.cosine_similarity(x[1:], x[:-1]).tolist()
    assert [value for _, _, value, _ in seen.signals] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if "kept" in name])
def test_no_signal_is_lost_after_a_step_where_predictions_are_kept(name):
    _, _, seen = defined(name, "one lane")
    for video, (length, _) in zip(seen[0], LENGTHS["one lane"][0], strict=True):
        assert [t for t, level, _, _ in video.signals if level == 0] == list(range(1, length))


def test_the_gate_is_learned():
    config = tiny(residual=True, max_levels=1, learning={"optimize_every": 1})
    streams = make_streams("vectors", [[(30, None)]])
    model = engine(config, 1)
    run_lanes(model, streams)
    residual = model.levels[0].p.residual
    assert residual is not None
    assert abs(residual.share.item()) > 0.05


@pytest.mark.parametrize(
    "config", [CASES["residual"], CASES["residual of frames"]], ids=["vectors", "frames"]
)
def test_inputs_of_zeros_give_numbers(config):
    [[video]] = make_streams(config.modality, [[(20, None)]])
    zeros = [[Video(torch.zeros_like(torch.as_tensor(video.snippets)))]]
    model, reference = engine(config, 1, initialize=fill_level), SharedLanes(config, 1, initialize=fill_level)
    [[seen]] = run_lanes(model, zeros)
    assert all(value == 0 for _, level, value, _ in seen.signals if level == 0)
    assert all(torch.isfinite(parameter).all() for parameter in model.levels.parameters())
    assert_same_videos([[seen]], reference.run(zeros))
