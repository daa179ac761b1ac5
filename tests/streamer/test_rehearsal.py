"""Past losses: what is kept through restarts, and that they matter."""

from copy import deepcopy
from dataclasses import replace
from itertools import chain

import pytest
import torch

from streamer.config import StreamerConfig
from streamer.streamer import Streamer
from tests.oracle import fill_level
from tests.streamer.lanes import engine, make_streams, run_lanes
from tests.streamer.tiny import parameters, tiny

LEARNING = {"optimize_every": 3, "step_level": "lowest", "replay": 10, "replay_batch": 4}
CONFIG = tiny(evolve_every=5, residual=True, force_fixed_buffer=True, learning=LEARNING)


def watched(lanes: int, config: StreamerConfig = CONFIG) -> Streamer:
    """A model whose lanes have watched videos of different lengths."""
    model = engine(config, lanes, initialize=fill_level)
    run_lanes(model, make_streams("vectors", [[(15 + 7 * lane, None)] for lane in range(lanes)]))
    return model


def kept(model: Streamer) -> list[list[float]]:
    """What each lane kept: the first number of every target."""
    assert model.rehearsal is not None
    return [state["columns"]["target"][:, 0].tolist() for state in model.rehearsal.state()]


def test_past_losses_change_what_is_learned():
    without = tiny(
        evolve_every=5,
        residual=True,
        force_fixed_buffer=True,
        learning={"optimize_every": 3, "step_level": "lowest"},
    )
    pairs = zip(parameters(watched(1)), parameters(watched(1, without)), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_models_that_do_not_learn_keep_none():
    assert engine(CONFIG, 1, train=False).rehearsal is None


def test_targets_that_are_kept_are_inputs_that_came():
    model = watched(2)
    streams = make_streams("vectors", [[(15, None)], [(22, None)]])
    assert model.rehearsal is not None
    for state, [video] in zip(model.rehearsal.state(), streams, strict=True):
        shown = torch.as_tensor(video.snippets)
        below = [place for place, past in enumerate(state["pasts"]) if past["level"] == 0]
        assert below
        for place in below:
            [at] = (shown == state["columns"]["target"][place]).all(dim=1).nonzero().flatten().tolist()
            assert torch.equal(shown[at - 1], state["columns"]["last"][place])
            inputs = state["columns"]["inputs"][place, : state["pasts"][place]["inputs"]]
            assert all((shown[:at] == row).all(dim=1).any() for row in inputs)


def test_as_many_lanes_on_other_workers_go_on():
    model = watched(3)
    assert model.rehearsal is not None
    other = engine(CONFIG, 3)
    assert other.rehearsal is not None
    other.rehearsal.inherit(deepcopy(model.rehearsal.state()), 0, 3)
    assert kept(other) == kept(model)
    assert [one.draw(4) for one in other.rehearsal.reservoirs] == [
        one.draw(4) for one in model.rehearsal.reservoirs
    ]


@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 2), (1, 3), (2, 5)])
def test_other_lanes_share_what_was_kept(before, after):
    model, other = watched(before), engine(CONFIG, after)
    assert model.rehearsal is not None
    assert other.rehearsal is not None
    other.rehearsal.inherit(model.rehearsal.state(), 0, after)
    old, new = list(chain(*kept(model))), kept(other)
    assert set(chain(*new)) <= set(old)
    assert sum(map(len, new)) == min(len(old), 10 * after)
    assert max(map(len, new)) - min(map(len, new)) <= 1
    streams = make_streams("vectors", [[(12, None)] for _ in range(after)])
    run_lanes(other, streams)  # and they go on
    assert all(len(lane) == 10 for lane in kept(other))


@pytest.mark.parametrize(("before", "after"), [(3, 1), (3, 2)])
def test_the_most_recent_are_dealt_by_age(before, after):
    config = replace(CONFIG, learning=replace(CONFIG.learning, replay_from="recent"))
    model, other = watched(before, config), engine(config, after)
    assert model.rehearsal is not None
    assert other.rehearsal is not None
    states = model.rehearsal.state()
    other.rehearsal.inherit(states, 0, after)
    ages = {}  # by what was kept
    for lane, state in zip(kept(model), states, strict=True):
        seen = state["reservoir"]["seen"]
        ages.update({lane[(seen - age) % 10]: age for age in range(1, 1 + len(lane))})
    for lane in kept(other):
        own = [ages[value] for value in lane]
        assert own == sorted(own, reverse=True)
        assert max(own) <= -(-10 * after // before) + 1
