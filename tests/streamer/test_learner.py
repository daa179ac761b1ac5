import pytest
import torch

from streamer.streamer import Streamer
from tests.streamer.tiny import NEVER, parameters, tiny, vectors, watch


def test_gradients_and_counters_survive_the_end_of_a_video():
    model = Streamer(tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 4}))
    assert model.learner is not None
    watch(model, vectors(3))
    model.gather()
    assert model.learner.losses.total[0] == 2
    assert model.learner.f_sums[0].counter == 2
    assert model.learner.f_sums[0].flat.any()
    before = parameters(model)
    watch(model, vectors(3, seed=1))
    assert model.learner.steps == 1
    assert any(not torch.equal(a, b) for a, b in zip(before, parameters(model), strict=True))


def test_gathering_again_adds_nothing():
    model = Streamer(tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 4}))
    assert model.learner is not None
    watch(model, vectors(4))
    model.gather()
    once = model.learner.p_sums[0].flat.clone()
    model.gather()
    assert once.any()
    assert torch.equal(model.learner.p_sums[0].flat, once)
    assert model.learner.p_sums[0].counter == 3


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_step_is_due_when_the_highest_level_has_met_enough_losses_for_all_lanes(lanes):
    model = Streamer(tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 2}), lanes=lanes)
    assert model.learner is not None
    # Of three lanes one has no video: six losses come from the other two in three base steps.
    active = min(lanes, 2)
    first_loss, needed = 1, 2 * lanes // active
    steps = []
    for lane in range(active):
        model.offer(vectors(5, seed=lane), lane)
    for _ in range(5):
        model.advance()
        model.barrier()
        steps.append(model.learner.steps)
    due = first_loss + needed - 1
    assert steps == [int(base_step >= due) for base_step in range(5)]


def test_a_step_clears_gradients_and_counters():
    model = Streamer(tiny(initial_levels=3, max_levels=3, learning={"optimize_every": 1}))
    assert model.learner is not None
    for x in vectors(200):
        model.observe(x)
        if model.learner.steps:
            break
    assert model.learner.steps == 1
    model.gather()
    sums = (*model.learner.f_sums, *model.learner.p_sums)
    assert len(sums) == 6
    assert not any(s.flat.any() or s.counter for s in sums)
    assert model.learner.losses.total == [0, 0, 0]


def test_losses_count_for_f_of_all_levels_and_for_p_of_their_own():
    config = tiny(initial_levels=2, max_levels=2, demarcation=NEVER, learning={"optimize_every": 1})
    model = Streamer(config)
    assert model.learner is not None
    watch(model, vectors(6))
    model.gather()
    assert [s.counter for s in model.learner.f_sums] == [5, 5]
    assert [s.counter for s in model.learner.p_sums] == [5, 0]
    assert model.learner.f_sums[0].flat.any()
    assert not model.learner.f_sums[1].flat.any()
    assert not model.learner.p_sums[1].flat.any()
