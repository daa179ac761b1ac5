import dataclasses
import math

import numpy as np
import pytest
import torch

from streamer.config import StreamerConfig
from streamer.errors import ConfigError, StreamerError
from streamer.signals import Signal
from streamer.streamer import Streamer
from tests.streamer.tiny import NEVER, parameters, same, tiny, vectors, watch

FRAMES = StreamerConfig(feature_dim=8, frame_size=16, channels=(2, 2, 2, 2), working_set_size=3)


def frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)


def test_frames_of_bytes_are_scaled_to_minus_1_and_1():
    images = frames(6)
    floats = torch.tensor(images).permute(0, 3, 1, 2) / 255 * 2 - 1
    assert (floats.min().item(), floats.max().item()) == (-1, 1)
    one, other = Streamer(FRAMES, train=False), Streamer(FRAMES, train=False)
    (first, signals), (second, others) = watch(one, images), watch(other, floats)
    assert signals == others
    assert len(signals) == 5
    assert same(first, second)


def test_frames_are_taken_from_memory_that_must_not_be_written():
    images = frames(3)
    images.flags.writeable = False
    hierarchy, _ = watch(Streamer(FRAMES), images)
    assert hierarchy.snippets == 3


def test_pixels_are_normalised_where_that_is_configured():
    # Squared errors, since cosines do not see the length of a pixel.
    config = dataclasses.replace(FRAMES, distance="distance")
    normalised = dataclasses.replace(config, normalize_pixels=True)
    floats = torch.tensor(frames(6)).permute(0, 3, 1, 2) / 255 * 2 - 1
    by_hand = floats / floats.norm(dim=1, keepdim=True)
    _, signals = watch(Streamer(normalised, train=False), floats)
    _, expected = watch(Streamer(config, train=False), by_hand)
    _, plain = watch(Streamer(config, train=False), floats)
    values = [signal.value for signal in signals]
    assert values == pytest.approx([signal.value for signal in expected], rel=1e-4)
    assert values != pytest.approx([signal.value for signal in plain], rel=1e-3)


@pytest.mark.parametrize(
    ("config", "snippet", "shapes"),
    [
        (tiny(), np.zeros(7, np.float32), ("[8]", "[7]")),
        (tiny(), np.zeros((8, 1), np.float32), ("[8]", "[8, 1]")),
        (FRAMES, np.zeros((16, 18, 3), np.uint8), ("uint8 [16, 16, 3]", "[16, 18, 3]")),
        (FRAMES, np.zeros((3, 16, 16), np.uint8), ("uint8 [16, 16, 3]", "[3, 16, 16]")),
        (FRAMES, np.zeros((16, 16, 3), np.float32), ("[3, 16, 16]", "[16, 16, 3]")),
    ],
)
def test_snippets_of_another_shape_are_refused_before_they_do_harm(config, snippet, shapes):
    model = Streamer(config)
    with pytest.raises(ConfigError) as refusal:
        model.observe(snippet)
    assert all(shape in str(refusal.value) for shape in shapes)
    assert "\n" not in str(refusal.value)
    assert model.inputs.since_barrier == [0, 0, 0]


def test_a_buffer_may_be_used_again_for_the_next_snippet():
    stream = vectors(20).float()
    _, expected = watch(Streamer(tiny()), stream)
    model, buffer, signals = Streamer(tiny()), torch.zeros(8), []
    for x in stream:
        buffer.copy_(x)
        signals += model.observe(buffer)
    assert signals == expected


@pytest.mark.parametrize("config", [tiny(), FRAMES], ids=["vectors", "frames"])
def test_a_buffer_may_be_used_again_for_the_next_snippets_of_a_lane(config):
    stream = vectors(12).float().numpy() if config.modality == "vectors" else frames(12)

    def signals(*, use_again: bool) -> list[Signal]:
        model, seen = Streamer(config), []
        for start in range(0, 12, 4):
            buffer = stream[start : start + 4].copy()
            model.offer(buffer)
            if use_again:
                buffer[:] = 0
            for _ in buffer:
                seen += model.advance()[0]
                model.barrier()
        return seen

    assert signals(use_again=True) == signals(use_again=False)


@pytest.mark.parametrize("train", [True, False])
def test_a_base_step_without_snippets_brings_nothing(train):
    model = Streamer(tiny(), lanes=2, train=train)
    assert model.advance() == [[], []]
    model.offer(vectors(1), lane=1)
    assert [lane.waiting for lane in model.lanes] == [0, 1]
    model.advance()
    assert model.advance() == [[], []]
    assert [lane.index for lane in model.lanes] == [0, 1]


def test_lanes_may_be_offered_frames_of_bytes_and_of_numbers_at_the_same_time():
    images = frames(12)
    floats = torch.tensor(images).permute(0, 3, 1, 2) / 255 * 2 - 1
    both, same_kind = Streamer(FRAMES, lanes=2), Streamer(FRAMES, lanes=2)
    both.offer(images[:6], 0)
    both.offer(floats[6:9], 1)
    both.offer(images[9:], 1)
    same_kind.offer(images[:6], 0)
    same_kind.offer(images[6:], 1)
    values: list[list[float]] = [[], []]
    for _ in range(6):
        for model, own in zip((both, same_kind), values, strict=True):
            own += [signal.value for signals in model.advance() for signal in signals]
            model.barrier()
    assert len(values[0]) == 10
    assert values[0] == pytest.approx(values[1], abs=1e-5)


def test_snippets_get_no_gradient():
    model = Streamer(tiny(learning={"optimize_every": 100}))
    x = vectors(1)[0].float().requires_grad_()
    model.observe(x)
    model.observe(vectors(1, seed=1)[0])
    assert x.grad is None


@pytest.mark.parametrize(
    ("duration_s", "fits"), [(2.0, True), (1.5001, True), (7.3, True), (1.5, False), (0, False)]
)
def test_a_video_ends_after_its_last_snippet(duration_s, fits):
    model = Streamer(tiny(), train=False)
    for x in vectors(4):
        model.observe(x)
    if fits:
        hierarchy = model.end_video(duration_s, "some/video")
        assert (hierarchy.video_id, hierarchy.snippets, hierarchy.snippet_size) == ("some/video", 4, 0.5)
        assert [events[-1].end_s for events in hierarchy.levels] == [duration_s]
        hierarchy.validate()
        return
    with pytest.raises(StreamerError, match=r"some/video: 4 snippets of 0\.5 s do not fit"):
        model.end_video(duration_s, "some/video")


def test_the_duration_is_that_of_the_snippets_by_default():
    hierarchy, _ = watch(Streamer(tiny(snippet_size=0.2, demarcation=NEVER), train=False), vectors(5))
    assert math.isclose(hierarchy.duration_s, 1.0)
    hierarchy.validate()


def test_a_video_without_snippets_cannot_end():
    model = Streamer(tiny())
    with pytest.raises(StreamerError, match="empty: no snippet"):
        model.end_video(1.0, "empty")


def test_training_moves_parameters_and_improves_the_prediction_of_a_constant():
    config = tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 2})
    model = Streamer(config)
    before = parameters(model)
    _, signals = watch(model, vectors(1).repeat(80, 1))
    assert any(not torch.equal(a, b) for a, b in zip(before, parameters(model), strict=True))
    assert signals[-1].value > max(0.9, signals[0].value)


def test_gradients_are_taken_whatever_the_caller_does():
    model = Streamer(tiny(max_levels=1, learning={"optimize_every": 2}))
    with torch.no_grad():
        watch(model, vectors(10))
        assert not torch.is_grad_enabled()
    assert model.learner is not None
    assert model.learner.steps > 0


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("modality", ["vectors", "frames"])
def test_every_device_cuts_the_same_events(device, modality):
    """Boundaries are those of full buffers, which rounding does not move."""
    settings = {"modality": modality, "frame_size": 16, "channels": (2, 2, 2, 2), "evolve_every": 4}
    config = tiny(**settings, force_fixed_buffer=True, working_set_size=3, demarcation=NEVER)
    stream = vectors(40).float() if modality == "vectors" else list(frames(40))
    reference, model = Streamer(config, precision="float64"), Streamer(config, device=device)
    (expected, expected_signals), (got, signals) = watch(reference, stream), watch(model, stream)
    assert [got.segments(level) for level in range(got.num_levels)] == [
        expected.segments(level) for level in range(expected.num_levels)
    ]
    assert got.num_levels == 3
    values = [signal.value for signal in signals]
    assert values == pytest.approx([signal.value for signal in expected_signals], abs=0.02)
    assert {parameter.device.type for parameter in model.levels.parameters()} == {device}
    assert model.learner is not None
    assert reference.learner is not None
    assert model.learner.steps == reference.learner.steps > 0
