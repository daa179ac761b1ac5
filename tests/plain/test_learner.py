import pytest
import torch
import torch.nn.functional as F

from streamer.config import LearningConfig, StreamerConfig
from tests.plain.lane import DueLoss
from tests.plain.learner import GradientSum, Learner
from tests.plain.levels import Levels
from tests.plain.streamer import PlainStreamer
from tests.streamer.tiny import NEVER, parameters, tiny, vectors, watch


def three_levels(**learning) -> tuple[Levels, Learner]:
    config: StreamerConfig = tiny(initial_levels=3, learning=learning)
    levels = Levels(config, dtype=torch.float64)
    return levels, Learner(levels, config.learning, lanes=1)


def gradient(loss, module):
    grads = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)
    filled = [
        torch.zeros_like(p) if g is None else g for g, p in zip(grads, module.parameters(), strict=True)
    ]
    return torch.cat([g.flatten() for g in filled])


def gradients_of(module):
    """Copies of the gradients that an optimiser is about to use."""
    return [p.grad.clone() for p in module.parameters() if p.grad is not None]


def loss_at_level_1(levels: Levels):
    z = torch.stack([levels[i].f(vectors(2, seed=i)) for i in range(2)])
    return levels[1].p(z).square().sum()


@pytest.mark.parametrize(
    ("learning", "timescale", "weights"),
    [
        ({"alpha": 3.0}, 5, [1 / 4, 3 / 4, 1 / 4]),
        ({"alpha": 3.0, "hgn_timescale": False}, 1, [1 / 4, 3 / 4, 1 / 4]),
        ({"hgn_reach": False}, 5, [1, 1, 1]),
    ],
)
def test_a_loss_reaches_f_of_all_levels_by_weight_and_p_of_its_own(learning, timescale, weights):
    levels, learner = three_levels(**learning)
    loss = loss_at_level_1(levels)
    learner.accumulate([DueLoss(1, loss, 5)])
    for index, weight in enumerate(weights):
        expected = timescale * weight * gradient(loss, levels[index].f)
        torch.testing.assert_close(learner.f_sums[index].flat, expected, rtol=1e-13, atol=0)
    expected = timescale * gradient(loss, levels[1].p)
    torch.testing.assert_close(learner.p_sums[1].flat, expected, rtol=1e-13, atol=0)
    assert [sums.counter for sums in learner.f_sums] == [timescale] * 3
    assert [sums.counter for sums in learner.p_sums] == [0, timescale, 0]
    assert learner.f_sums[0].flat.any()
    assert not learner.f_sums[2].flat.any()
    assert not learner.p_sums[0].flat.any()


def test_losses_add_up():
    levels, learner = three_levels()
    loss = loss_at_level_1(levels)
    learner.accumulate([DueLoss(1, loss, 2), DueLoss(1, loss, 3)])
    torch.testing.assert_close(learner.p_sums[1].flat, 5 * gradient(loss, levels[1].p))
    assert learner.p_sums[1].counter == 5


def test_a_step_divides_by_the_counters_and_moves_zero_gradients_too():
    levels, learner = three_levels()
    loss = loss_at_level_1(levels)
    learner.accumulate([DueLoss(1, loss, 4), DueLoss(1, loss, 4)])
    mean = gradient(loss, levels[0].f) / 4  # the weight; timescales cancel
    seen = []
    learner.optimizer.register_step_pre_hook(
        lambda *_: seen.append(torch.cat([g.flatten() for g in gradients_of(levels[0].f)]))
    )
    learner.step()
    torch.testing.assert_close(seen[0], mean, rtol=1e-13, atol=0)
    stepped = [p for p in levels.parameters() if p in learner.optimizer.state]
    # f of level 2 has met a loss without gradient: Adam steps it with zeros.
    modules = [levels[0].f, levels[1].f, levels[2].f, levels[1].p]
    expected = [p for module in modules for p in module.parameters()]
    assert {id(p) for p in stepped} == {id(p) for p in expected}
    assert all(learner.optimizer.state[p]["step"] == 1 for p in stepped)


def test_a_step_clears_gradients_and_counters():
    levels, learner = three_levels()
    learner.accumulate([DueLoss(1, loss_at_level_1(levels), 4)])
    learner.losses.count(1)
    learner.losses.merge([0, 1, 0])
    learner.step()
    sums = (*learner.f_sums, *learner.p_sums)
    assert not any(s.flat.any() or s.counter for s in sums)
    assert all(parameter.grad is None for parameter in levels.parameters())
    assert learner.losses.total == [0, 0, 0]
    assert learner.steps == 1


def test_modules_without_losses_are_not_moved():
    levels, learner = three_levels()
    before = [p.detach().clone() for p in levels[2].parameters()]
    learner.step()
    assert all(torch.equal(a, b) for a, b in zip(before, levels[2].parameters(), strict=True))


def test_a_step_is_due_when_the_highest_level_has_met_enough_losses_for_all_lanes():
    config = tiny(initial_levels=2)
    learner = Learner(Levels(config), LearningConfig(optimize_every=2), lanes=3)
    learner.losses.merge([100, 5, 0])
    assert not learner.step_due()
    learner.losses.merge([0, 1, 0])
    assert learner.step_due()


def test_gradients_of_a_module_lie_in_one_tensor_in_the_order_of_its_parameters():
    module = torch.nn.Linear(2, 1).double()
    sums = GradientSum(module)
    sums.add([torch.tensor([[1.0, 2.0]]).double(), None], 0.5)
    sums.add([None, torch.tensor([3.0]).double()], 2.0)
    assert sums.flat.tolist() == [0.5, 1.0, 6.0]
    sums.counter = 2
    sums.normalize()
    assert module.weight.grad is not None
    assert module.weight.grad.tolist() == [[0.25, 0.5]]


def test_the_gradient_of_a_stream_is_the_mean_over_its_losses():
    """One level, no boundary, working set not yet full: everything can be written down."""
    config = tiny(max_levels=1, demarcation=NEVER, working_set_size=5, learning={"optimize_every": 4})
    model = PlainStreamer(config, dtype=torch.float64)
    level, stream = model.levels[0], vectors(5)
    for table in model.levels.tables:
        table.bound(len(table.weight))
    total = torch.zeros((), dtype=torch.float64)
    for t in range(1, 5):
        z = F.normalize(level.f.network(_sequence(level, stream[:t])[None])[0, 0], dim=0)
        prediction = level.p.network((z + level.p.pos_enc.weight[0])[None, None])[0, 0]
        total = total - F.cosine_similarity(prediction, stream[t], dim=0)
    expected = [g / 4 for g in torch.autograd.grad(total, list(level.parameters()))]
    seen = []
    assert model.learner is not None
    model.learner.optimizer.register_step_pre_hook(lambda *_: seen.extend(gradients_of(level)))
    for x in stream:
        model.observe(x)
    assert model.learner.steps == 1
    for got, want in zip(seen, expected, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-13)


def _sequence(level, inputs):
    return torch.cat([level.f.cls_token.weight, inputs + level.f.pos_enc.weight[: len(inputs)]])


def test_gradients_and_counters_survive_the_end_of_a_video():
    model = PlainStreamer(tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 4}))
    assert model.learner is not None
    watch(model, vectors(3))
    assert model.learner.losses.total[0] == 2
    assert model.learner.f_sums[0].counter == 2
    assert model.learner.f_sums[0].flat.any()
    before = parameters(model)
    watch(model, vectors(3, seed=1))
    assert model.learner.steps == 1
    assert any(not torch.equal(a, b) for a, b in zip(before, parameters(model), strict=True))
