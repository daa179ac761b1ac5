"""Videos handed from one model to another go on as if nothing had happened."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.config import DemarcationConfig
from streamer.handover import add_gradients, put_video, take_video
from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests.oracle_cases import fill
from tests.streamer.tiny import parameters, tiny, vectors

SCHEDULE = Schedule(flush_losses=6, encode_ahead=4)
SNIPPETS = 40
VECTORS = tiny(evolve_every=5, force_fixed_buffer=True)
FRAMES = replace(VECTORS, modality="frames", frame_size=16, channels=(4, 4, 8, 8))
LOWEST = replace(VECTORS.learning, step_level="lowest", keep_predictions=True)
PEAKS = DemarcationConfig(mode="peak", window_size=8, share=0.5)
CONFIGS = {
    "vectors": VECTORS,
    "frames": FRAMES,
    "residual": replace(VECTORS, residual=True, learning=LOWEST),
    "centred": replace(VECTORS, residual=True, center=True, learning=LOWEST),
    "recall": replace(VECTORS, residual=True, mixing=True, recall=12, center=True, learning=LOWEST),
    "shortcut": replace(
        VECTORS, residual=True, shortcut=True, learning=replace(LOWEST, keep_predictions=False)
    ),
    "residual of frames": replace(FRAMES, residual=True, learning=LOWEST),
    "peaks": replace(VECTORS, force_fixed_buffer=False, demarcation=PEAKS, learning=LOWEST),
    "peaks of frames": replace(FRAMES, force_fixed_buffer=False, demarcation=PEAKS, learning=LOWEST),
    "timescales, merged": tiny(
        evolve_every=100_000,
        timescales=(1.5, 4.0, 10.0),
        demarcation=replace(PEAKS, share=0.1, least_length=2),
        upper_levels="merged",
        center=True,
    ),
}


def watched(config, count):
    if config.modality == "vectors":
        return [vectors(SNIPPETS, seed) for seed in range(count)]
    return [fill.images(SNIPPETS, 16, seed) for seed in range(count)]


def started(config, lanes, train=True, at=17):
    """A model in the middle of a video per lane."""
    model = Streamer(config, lanes=lanes, train=train, precision="float64", schedule=SCHEDULE)
    for lane, video in enumerate(watched(config, lanes)):
        model.offer(video, lane)
    advance(model, at)
    return model


def advance(model, base_steps):
    signals = []
    for _ in range(base_steps):
        signals.append(model.advance())
        if model.learner is not None:
            model.barrier()
    return signals


def twin(model, lanes):
    """A model with the same parameters, levels and counts, and nothing to watch yet."""
    other = Streamer(
        model.config, lanes=lanes, train=model.learner is not None, precision="float64", schedule=SCHEDULE
    )
    while len(other.levels) < len(model.levels):
        other.grow()
    other.levels.load_state_dict(model.levels.state_dict())
    other.levels.parameters_changed()
    other.inputs.total = list(model.inputs.total)
    if model.learner is not None:
        assert other.learner is not None
        other.learner.optimizer.load_state_dict(deepcopy(model.learner.optimizer.state_dict()))
        other.learner.losses.total = list(model.learner.losses.total)
        other.learner.steps = model.learner.steps
    return other


def assert_alike(one, other):
    """The same events, with representations that differ by rounding."""
    for events, others in zip(one.levels, other.levels, strict=True):
        assert [(e.start_s, e.end_s) for e in events] == [(e.start_s, e.end_s) for e in others]
        for event, match in zip(events, others, strict=True):
            assert event.mean_signal == pytest.approx(match.mean_signal, abs=1e-6)
            if event.representation is not None:
                np.testing.assert_allclose(event.representation, match.representation, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
@pytest.mark.parametrize("train", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("at", [1, 9, 17, 26])
def test_lanes_may_change_places(config, train, at):
    model = started(config, 3, train, at)
    model.settle()
    order = [2, 0, 1]
    other = twin(model, 3)
    for place, lane in enumerate(order):
        put_video(other, place, take_video(model, lane))
    if train:
        add_gradients(other, model)
    left = SNIPPETS - at
    here, there = advance(model, left), advance(other, left)
    for one, two in zip(here, there, strict=True):
        for place, lane in enumerate(order):
            assert [(s.index, s.level, s.boundary) for s in two[place]] == [
                (s.index, s.level, s.boundary) for s in one[lane]
            ]
            assert [s.value for s in two[place]] == pytest.approx([s.value for s in one[lane]], abs=1e-9)
    for place, lane in enumerate(order):
        assert_alike(other.end_video(lane=place), model.end_video(lane=lane))
    for one, two in zip(parameters(other), parameters(model), strict=True):
        assert torch.allclose(one, two, rtol=0, atol=1e-8)
    if model.learner is not None:
        assert model.learner.steps > 2


def test_gradients_add_up():
    model = started(FRAMES, 1, at=16)
    model.settle()
    other = twin(model, 1)
    add_gradients(other, model)
    add_gradients(other, model)
    assert model.learner is not None
    assert other.learner is not None
    assert model.learner.f_sums[0].counter > 0
    for own, twice in zip(model.learner.f_sums, other.learner.f_sums, strict=True):
        assert twice.counter == 2 * own.counter
        assert torch.equal(twice.flat, 2 * own.flat)


def test_a_video_moves_in_beside_others():
    """Rows that are in use where the video comes from and where it goes have the same numbers."""
    model, other = started(VECTORS, 1, train=False), started(VECTORS, 2, train=False, at=11)
    expected = advance(started(VECTORS, 1, train=False), SNIPPETS - 17)
    put_video(other, 1, take_video(model, 0))
    moved = advance(other, SNIPPETS - 17)
    assert [s.value for step in moved for s in step[1]] == pytest.approx(
        [s.value for step in expected for s in step[0]], abs=1e-12
    )
    alone = advance(started(VECTORS, 1, train=False, at=11), SNIPPETS - 17)
    assert [s.value for step in moved for s in step[0]] == pytest.approx(
        [s.value for step in alone for s in step[0]], abs=1e-12
    )
