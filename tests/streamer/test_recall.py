"""Predictions from memory."""

import math

import pytest
import torch

from streamer.config import LEAST_RECALL
from streamer.recall import CONTEXT, Recall
from tests.plain.mixture import recalled
from tests.streamer.lanes import engine
from tests.streamer.tiny import tiny, vectors

CPU = torch.device("cpu")


def memory(size: int, lanes: int = 1, dim: int = 8) -> Recall:
    return Recall(lanes, size, dim, torch.float64, CPU)


def expectations(inputs: torch.Tensor, size: int) -> list[torch.Tensor]:
    """What a memory expects after each of some inputs `[T, D]`."""
    recall = memory(size, dim=inputs.shape[1])
    expected = []
    for x_D in inputs:
        recall.add(recall.rings, x_D[None])
        expected.append(recall.predict(recall.rings)[0])
    return expected


def test_the_least_memory_holds_a_context_and_what_followed():
    assert LEAST_RECALL == CONTEXT + 1


@pytest.mark.parametrize("size", [3, 4, 7, 100])
def test_it_equals_the_definition(size):
    inputs = vectors(30, seed=3)
    for t, got in enumerate(expectations(inputs, size)):
        torch.testing.assert_close(got, recalled(list(inputs[: t + 1]), size), rtol=1e-12, atol=1e-12)


def test_a_motion_is_predicted_after_one_period():
    torch.manual_seed(0)
    period = torch.randn(6, 8, dtype=torch.float64)
    inputs = period.repeat(4, 1)
    expected = expectations(inputs, 100)
    for t in range(len(period) + 1, len(inputs) - 1):
        assert torch.cosine_similarity(expected[t], inputs[t + 1], dim=0) > 0.999


def test_an_alternation_is_predicted_from_the_fourth_input():
    one, other = torch.eye(4, dtype=torch.float64)[:2]
    expected = expectations(torch.stack([one, other] * 4), 100)
    for got in expected[:2]:  # nothing is known to have followed
        assert torch.equal(got, one if got is expected[0] else other)
    for t, got in enumerate(expected[3:], start=3):
        torch.testing.assert_close(got, one if t % 2 else other)


def test_what_followed_counts_by_how_like_the_contexts_are():
    """Two known successions, a to c and b to d, and a last input between a and b."""
    angle = 0.3
    a, b, c, d = torch.eye(4, dtype=torch.float64)
    between = math.cos(angle) * a + math.sin(angle) * b
    # Every context ends with the input behind c: what came before is the same.
    inputs = torch.stack([c, a, d, c, b, -d, c, between])
    got = expectations(inputs, 100)[-1]
    similarities = torch.tensor(
        [[between @ inputs[j], c @ inputs[j - 1]] for j in range(1, 7)],
        dtype=torch.float64,
    ).mean(1)
    shares = torch.softmax(50 * similarities, 0)
    torch.testing.assert_close(got, shares @ inputs[2:])
    assert shares[0] > 0.99  # what followed a, after c


def test_what_is_older_than_the_memory_is_forgotten():
    torch.manual_seed(0)
    motion, other = torch.randn(2, 6, 8, dtype=torch.float64)
    [*_, long] = expectations(torch.cat([motion, other, motion[:3]]), 20)
    [*_, short] = expectations(torch.cat([motion, other, motion[:3]]), 8)
    assert torch.cosine_similarity(long, motion[3], dim=0) > 0.999
    assert torch.cosine_similarity(short, motion[3], dim=0) < 0.9


def test_lanes_remember_by_themselves():
    streams = torch.stack([vectors(20, seed) for seed in range(3)], dim=1)
    together = memory(7, lanes=3)
    alone = [memory(7) for _ in range(3)]
    for t, x_nD in enumerate(streams):
        awake = [lane for lane in range(3) if t % (lane + 1) == 0]
        rings = [together.rings[lane] for lane in awake]
        together.add(rings, x_nD[awake])
        got = together.predict(rings)
        for lane, row in zip(awake, got, strict=True):
            alone[lane].add(alone[lane].rings, x_nD[lane : lane + 1])
            torch.testing.assert_close(row, alone[lane].predict(alone[lane].rings)[0])


def test_a_cleared_ring_knows_nothing_of_the_video_before():
    recall, fresh = memory(5), memory(5)
    for x_D in vectors(12, 1):
        recall.add(recall.rings, x_D[None] * torch.inf)
    recall.rings[0].clear()
    for x_D in vectors(9, 2):
        for each in (recall, fresh):
            each.add(each.rings, x_D[None])
        assert torch.equal(recall.predict(recall.rings), fresh.predict(fresh.rings))


def test_inputs_of_zeros_give_numbers():
    assert all(torch.isfinite(got).all() for got in expectations(torch.zeros(9, 4, dtype=torch.float64), 5))


def test_a_model_that_remembers_follows_a_motion_that_differencing_does_not():
    torch.manual_seed(0)
    video = torch.randn(5, 8, dtype=torch.float64).repeat(8, 1)
    model = engine(tiny(residual=True, mixing=True, recall=30, max_levels=1), 1, train=False)
    signals = [signal.value for x in video for signal in model.observe(x)]
    differencing = torch.cosine_similarity(video[1:], video[:-1]).tolist()
    assert min(signals[15:]) > 0.95
    assert max(differencing[15:]) < 0.95
