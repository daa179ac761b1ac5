"""A model that is saved and loaded in the middle of videos goes on to the bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import streamer
from streamer.config import DemarcationConfig
from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests.oracle_cases import fill
from tests.streamer.tiny import parameters, same, tiny, vectors

SCHEDULE = Schedule(flush_losses=6, encode_ahead=4)
SNIPPETS = 48
VECTORS = tiny(evolve_every=5, force_fixed_buffer=True)
FRAMES = replace(VECTORS, modality="frames", frame_size=16, channels=(4, 4, 8, 8))
LOWEST = replace(VECTORS.learning, step_level="lowest", keep_predictions=True)
PEAKS = DemarcationConfig(mode="peak", window_size=8, share=0.5)
CONFIGS = {
    "vectors": VECTORS,
    "frames": FRAMES,
    "residual": replace(VECTORS, residual=True, learning=LOWEST),
    "replay": replace(VECTORS, center=True, learning=replace(LOWEST, replay=20, replay_batch=6)),
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


def videos(config):
    if config.modality == "vectors":
        return [vectors(SNIPPETS, seed) for seed in (1, 2)]
    return [fill.images(SNIPPETS, 16, seed) for seed in (1, 2)]


def advance(model, base_steps):
    signals = []
    for _ in range(base_steps):
        signals.append(model.advance())
        if model.learner is not None:
            model.barrier()
    return signals


def assert_goes_on(model: Streamer, path: Path, base_steps: int) -> None:
    streamer.save(model, path)
    loaded = streamer.load(path, train=model.learner is not None, schedule=SCHEDULE)
    assert advance(loaded, base_steps) == advance(model, base_steps)
    for lane in range(len(model.lanes)):
        assert same(loaded.end_video(lane=lane), model.end_video(lane=lane))
    for one, other in zip(parameters(loaded), parameters(model), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("train", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
@pytest.mark.parametrize("at", [1, 7, 20, 33])
def test_goes_on_to_the_bit(config, train, at, tmp_path):
    model = Streamer(config, lanes=2, train=train, schedule=SCHEDULE)
    for lane, video in enumerate(videos(config)):
        model.offer(video, lane)
    advance(model, at)
    steps = model.learner.steps if model.learner else 0
    assert_goes_on(model, tmp_path / "middle.ckpt", SNIPPETS - at)
    if model.learner is not None:
        assert model.learner.steps > steps or at > 30


@pytest.mark.parametrize("mode", ["accumulate", "fixed"])
def test_other_demarcations_go_on(mode, tmp_path):
    rule = DemarcationConfig(mode=mode, threshold=1.5)
    model = Streamer(replace(VECTORS, distance="distance", demarcation=rule), schedule=SCHEDULE)
    model.offer(vectors(SNIPPETS, 3))
    advance(model, 21)
    assert_goes_on(model, tmp_path / "middle.ckpt", SNIPPETS - 21)


def test_saving_changes_nothing(tmp_path):
    def run(save):
        model = Streamer(FRAMES, schedule=SCHEDULE)
        model.offer(videos(FRAMES)[0])
        for _ in range(SNIPPETS):
            advance(model, 1)
            if save:
                streamer.save(model, tmp_path / "often.ckpt")
        return model.end_video()

    assert same(run(True), run(False))


def test_a_model_that_stops_learning_begins_a_video(tmp_path):
    model = Streamer(VECTORS, lanes=2, schedule=SCHEDULE)
    model.offer(vectors(20, 1))
    advance(model, 11)
    streamer.save(model, tmp_path / "middle.ckpt")
    frozen = streamer.load(tmp_path / "middle.ckpt", lanes=3)
    assert [lane.index for lane in frozen.lanes] == [0, 0, 0]
    assert all(lane.waiting == 0 for lane in frozen.lanes)


def test_between_videos_there_is_nothing_to_go_on_with(tmp_path):
    model = Streamer(VECTORS, schedule=SCHEDULE)
    for x in vectors(23, 1):
        model.observe(x)
    model.end_video()
    model.settle()
    streamer.save(model, tmp_path / "between.ckpt")
    assert torch.load(tmp_path / "between.ckpt", weights_only=True)["running"] is None


def test_goes_on_in_another_precision(tmp_path):
    model = Streamer(FRAMES, schedule=SCHEDULE)
    model.offer(videos(FRAMES)[0])
    advance(model, 13)
    streamer.save(model, tmp_path / "middle.ckpt")
    loaded = streamer.load(tmp_path / "middle.ckpt", train=True, precision="float64", schedule=SCHEDULE)
    for one, other in zip(advance(loaded, 3), advance(model, 3), strict=True):
        assert [s.value for s in one[0]] == pytest.approx([s.value for s in other[0]], rel=1e-4)


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_all_that_lanes_hold_moves_to_the_models_device(config, tmp_path):
    """Checkpoints are read into the host's memory, whatever the model computes on."""
    model = Streamer(config, schedule=SCHEDULE)
    model.offer(videos(config)[0])
    advance(model, 33)
    streamer.save(model, tmp_path / "middle.ckpt")
    loaded = streamer.load(tmp_path / "middle.ckpt", train=True, device="meta", schedule=SCHEDULE)
    [lane] = loaded.lanes
    held = [snippet.data for snippet in lane.queue]
    held += [] if lane.centre is None else [lane.centre.sum, lane.centre.squares]
    for state in lane.states:
        held += [event.representation for event in state.recorder.ended]
        held += [state.recorder.input_sum, *(state.recorder.last or ())[1:]]
    assert len(held) > SNIPPETS - 33
    assert {tensor.device.type for tensor in held if tensor is not None} == {"meta"}
