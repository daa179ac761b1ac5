"""float32 and bf16 against float64, on every device there is.

Boundaries come from full working sets alone, so that no rounding can move them, and all steps are compared.
Signals may move by ten times what was seen; Adam turns the sign of a gradient near zero into a whole step,
so parameters may move by more.
"""

from dataclasses import replace

import pytest
import torch

from streamer.config import Precision
from streamer.schedule import Schedule
from streamer.streamer import Streamer
from tests.oracle_cases import fill
from tests.streamer.tiny import NEVER, tiny, vectors

SNIPPETS = 60
VECTORS = tiny(
    feature_dim=32, evolve_every=5, force_fixed_buffer=True, demarcation=NEVER, learning={"lr": 1e-3}
)
FRAMES = replace(VECTORS, modality="frames", frame_size=32, channels=(8, 8, 16, 16))
BOUNDS = {"float32": (2e-6, 1e-3), "bf16": (0.05, 0.02)}  # of signals and of parameters
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


def run(config, precision: Precision, device: str, lanes: int, train: bool = True):
    """Signals per lane and the final parameters."""
    model = Streamer(
        config, lanes=lanes, train=train, device=device, precision=precision, schedule=Schedule(16, 8)
    )
    for lane in range(lanes):
        seed = lane + 1
        video = (
            vectors(SNIPPETS, seed, 32) if config.modality == "vectors" else fill.images(SNIPPETS, 32, seed)
        )
        model.offer(video, lane)
    signals = []
    for _ in range(SNIPPETS):
        signals += [signal for lane in model.advance() for signal in lane]
        if train:
            model.barrier()
    if model.learner is not None:
        assert model.learner.steps >= 2
        assert len(model.levels) == 3
    return signals, [parameter.detach().double().cpu() for parameter in model.levels.parameters()]


def assert_near(got, expected, bounds):
    (signals, parameters), (true_signals, true_parameters) = got, expected
    assert [(s.index, s.level, s.boundary) for s in signals] == [
        (s.index, s.level, s.boundary) for s in true_signals
    ]
    worst = max(abs(s.value - t.value) for s, t in zip(signals, true_signals, strict=True))
    moved = max((p - q).abs().max().item() for p, q in zip(parameters, true_parameters, strict=True))
    assert worst < bounds[0]
    assert moved < bounds[1]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("config", [VECTORS, FRAMES], ids=["vectors", "frames"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_training_stays_near_float64(config, precision, lanes, device):
    expected = run(config, "float64", "cpu", lanes)
    assert_near(run(config, precision, device, lanes), expected, BOUNDS[precision])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("config", [VECTORS, FRAMES], ids=["vectors", "frames"])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_inference_stays_near_float64(config, precision, device):
    grown = replace(config, initial_levels=3)
    expected = run(grown, "float64", "cpu", 2, train=False)
    assert_near(run(grown, precision, device, 2, train=False), expected, BOUNDS[precision])
