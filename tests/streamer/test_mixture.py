"""Predictions weighed by how well they did."""

import math

import pytest
import torch

from streamer.config import DemarcationConfig
from streamer.mixture import Mixture, mixed_signals
from tests.plain import mixture as plain
from tests.streamer.lanes import engine, make_streams, run_lanes
from tests.streamer.tiny import tiny


def test_all_count_alike_at_the_start():
    assert Mixture(3).weights() == pytest.approx([1 / 3] * 3)


def test_weights_follow_errors_that_fade():
    mixture = Mixture(2)
    mixture.judge([0.5, 0.0])
    assert mixture.errors == pytest.approx([0.1, 0.0])
    mixture.judge([0.0, 0.25])
    assert mixture.errors == pytest.approx([0.08, 0.05])
    share = 1 / (1 + math.exp(-20 * 0.03))
    assert mixture.weights() == pytest.approx([1 - share, share])


def test_large_errors_leave_weights():
    mixture = Mixture(2)
    for _ in range(50):
        mixture.judge([2.0, 1.9])
    assert sum(mixture.weights()) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["similarity", "distance"])
def test_signals_are_those_of_the_definition(kind):
    torch.manual_seed(0)
    mixtures, expected = [Mixture(3) for _ in range(2)], [plain.Mixture() for _ in range(2)]
    for _ in range(20):
        parts, targets = list(torch.randn(3, 2, 8, dtype=torch.float64)), torch.randn(2, 8).double()
        parts[1] = targets + 0.3 * parts[1]
        mixed = [one.predict([part[lane] for part in parts]) for lane, one in enumerate(expected)]
        for lane, one in enumerate(expected):
            one.judge([part[lane] for part in parts], targets[lane])
        got = mixed_signals(kind, mixtures, parts, targets)
        for value, mix_D, target_D in zip(got, mixed, targets, strict=True):
            signal = (
                torch.cosine_similarity(mix_D, target_D, dim=0)
                if kind == "similarity"
                else (mix_D - target_D).square().mean()
            )
            assert value == pytest.approx(signal.item(), rel=1e-10)
    assert all(max(one.weights()) == one.weights()[1] for one in mixtures)


def test_learning_judges_the_learned_prediction_alone():
    """What is learned does not depend on the mixture, as long as signals choose no inputs."""
    settings = {"residual": True, "max_levels": 1, "working_set_size": 50, "learning": {"optimize_every": 2}}
    streams = make_streams("vectors", [[(30, None)]])
    models = [
        engine(tiny(**settings, **more, demarcation=DemarcationConfig(mode="fixed", threshold=-2.0)), 1)
        for more in ({}, {"mixing": True}, {"mixing": True, "recall": 20})
    ]
    seen = [run_lanes(model, streams)[0][0].signals for model in models]
    for model in models[1:]:
        for one, other in zip(model.levels.parameters(), models[0].levels.parameters(), strict=True):
            assert torch.equal(one, other)
    assert seen[0] != seen[1] != seen[2]
