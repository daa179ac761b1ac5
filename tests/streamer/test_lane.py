import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import DemarcationConfig, StreamerConfig
from streamer.hierarchy import Hierarchy
from streamer.signals import Signal
from streamer.streamer import Streamer
from tests.streamer.tiny import ALWAYS, NEVER, parameters, same, tiny, vectors, watch, with_demarcation

MANY = {"optimize_every": 10**6}


def levels_after_each(model: Streamer, stream: torch.Tensor) -> list[int]:
    counts = []
    for x in stream:
        model.observe(x)
        counts.append(len(model.levels))
    return counts


@pytest.mark.parametrize("evolve_every", [0, 1, 5])
def test_a_level_is_created_at_input_evolve_every_plus_2_of_the_one_below(evolve_every):
    model = Streamer(tiny(evolve_every=evolve_every, demarcation=ALWAYS, learning=MANY))
    counts = levels_after_each(model, vectors(3 * evolve_every + 8))
    # Every snippet ends an event, so a new level gets its first input with the snippet that created it.
    first = evolve_every + 1
    second = first + evolve_every + 1
    assert counts == [1 + (t >= first) + (t >= second) for t in range(len(counts))]


def test_inputs_are_counted_across_videos():
    model = Streamer(tiny(evolve_every=5, demarcation=NEVER, learning=MANY, max_levels=2))
    for length in (2, 2, 2):
        watch(model, vectors(length))
    assert len(model.levels) == 1
    watch(model, vectors(1))
    assert len(model.levels) == 2


def test_no_level_is_created_above_max_levels():
    model = Streamer(tiny(evolve_every=0, max_levels=2, demarcation=ALWAYS, learning=MANY))
    assert levels_after_each(model, vectors(12))[-1] == 2


def test_a_model_that_does_not_train_stays_as_it_is():
    model = Streamer(tiny(evolve_every=0, demarcation=ALWAYS), train=False)
    watch(model, vectors(4))  # bounds the tables
    before = parameters(model)
    watch(model, vectors(30, seed=1))
    assert len(model.levels) == 1
    assert all(torch.equal(a, b) for a, b in zip(before, parameters(model), strict=True))


def test_a_level_that_is_created_in_the_middle_of_a_video_covers_the_video():
    model = Streamer(tiny(evolve_every=3, demarcation=ALWAYS, max_levels=2, learning=MANY))
    hierarchy, signals = watch(model, vectors(8))
    assert hierarchy.segments(0)[0] == (0.0, 0.5)
    # Created with snippet 4, which is its first input; its first signal comes with snippet 5.
    assert [signal.index for signal in signals if signal.level == 1] == [5, 6, 7]
    assert hierarchy.segments(1) == [(0.0, 2.5), (2.5, 3.0), (3.0, 3.5), (3.5, 4.0)]


def test_upper_levels_finish_first():
    model = Streamer(tiny(evolve_every=0, demarcation=ALWAYS, learning=MANY))
    *_, last = (model.observe(x) for x in vectors(10))
    assert [signal.level for signal in last] == [2, 1, 0]


def test_a_step_starts_predictions_afresh_but_events_go_on():
    model = Streamer(tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 3}))
    hierarchy, signals = watch(model, vectors(9))
    # Steps after snippets 3 and 7: the next snippet has no prediction to be compared with.
    assert [signal.index for signal in signals] == [1, 2, 3, 5, 6, 7]
    assert model.learner is not None
    assert model.learner.steps == 2
    assert hierarchy.segments(0) == [(0.0, 4.5)]


def test_after_a_step_there_is_no_representation_until_the_next_snippet():
    config = tiny(max_levels=1, demarcation=NEVER, learning={"optimize_every": 3})
    at_step, _ = watch(Streamer(config), vectors(4))
    after, _ = watch(Streamer(config), vectors(5))
    assert at_step.levels[0][-1].representation is None
    assert after.levels[0][-1].representation is not None
    at_step.to_arrow()


def test_a_representation_keeps_nothing_else_in_memory():
    model = Streamer(tiny(distance="distance", max_levels=1), train=False)
    hierarchy, _ = watch(model, vectors(4))
    for event in hierarchy.levels[0]:
        assert event.representation is not None
        assert owned_bytes(event.representation) == event.representation.nbytes


def owned_bytes(array: np.ndarray) -> int:
    """Size of the memory that an array keeps alive."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner.untyped_storage().nbytes() if isinstance(owner, torch.Tensor) else owner.nbytes


def test_a_video_starts_without_memory_of_the_one_before():
    config = tiny(initial_levels=3)
    one, other = Streamer(config, train=False), Streamer(config, train=False)
    watch(one, vectors(40, seed=5))
    stream = vectors(60, seed=6)
    (first, signals), (second, other_signals) = watch(one, stream), watch(other, stream)
    assert signals == other_signals
    assert same(first, second)
    assert {signal.level for signal in signals} == {0, 1, 2}


RULES: list[dict[str, Any]] = [
    {"mode": "average", "window_size": 5},
    {"mode": "average", "window_size": 3, "modifier_type": "add", "modifier": 0.05},
    {"mode": "fixed", "threshold": 0.1},
    {"mode": "accumulate", "threshold": 3.0},
]


@given(
    st.sampled_from(RULES),
    st.sampled_from(["similarity", "distance"]),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 99),
)
@settings(max_examples=25, deadline=None)
def test_boundaries_follow_from_the_signals(rule, distance, force, capacity, seed):
    if rule["mode"] == "accumulate":
        distance = "distance"
    config = tiny(distance=distance, force_fixed_buffer=force, working_set_size=capacity, max_levels=1)
    config = with_demarcation(config, **rule)
    model = Streamer(config, train=False)
    for _ in range(2):  # windows, sums and buffers start empty with every video
        hierarchy, signals = watch(model, vectors(25, seed))
        values = [signal.value for signal in signals]
        expected = restated_boundaries(config, values)
        assert [signal.boundary for signal in signals] == expected
        starts = [0.0, *(0.5 * signal.index for signal in signals if signal.boundary)]
        assert [start for start, _ in hierarchy.segments(0)] == starts


def restated_boundaries(config: StreamerConfig, values: list[float]) -> list[bool]:
    """The rules in one loop: what ends an event at level 0, from the signals of a video without steps."""
    rule: DemarcationConfig = config.demarcation
    similar = config.distance == "similarity"
    offered, total, result = 1, 0.0, []
    for index, value in enumerate(values):
        total += value
        limit = rule.threshold
        if rule.mode == "average":
            window = values[max(0, index - rule.window_size) : index]
            mean = sum(window) / len(window) if window else 0.0
            limit = mean * rule.modifier if rule.modifier_type == "multiply" else mean + rule.modifier
        assert limit is not None
        measured = total if rule.mode == "accumulate" else value
        ends = measured < limit if similar else measured > limit
        if rule.mode == "average" and index == 0:
            ends = False
        if ends:
            total = 0.0
        forced = config.force_fixed_buffer and offered >= config.working_set_size
        result.append(ends or forced)
        offered = 1 if ends or forced else offered + 1
    return result


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(0, 99), st.booleans())
@settings(max_examples=10, deadline=None)
def test_events_of_any_stream_tile_and_nest_and_summarise_their_signals(lengths, seed, force):
    config = tiny(evolve_every=6, force_fixed_buffer=force, learning={"optimize_every": 2})
    model = Streamer(config, seed=seed)
    for number, length in enumerate(lengths):
        hierarchy, signals = watch(model, vectors(length, seed + number))
        hierarchy.validate()
        assert hierarchy.num_levels == len(model.levels)
        assert hierarchy.duration_s == length * 0.5
        for level in range(hierarchy.num_levels):
            check_summaries(hierarchy, [signal for signal in signals if signal.level == level], level)


def check_summaries(hierarchy: Hierarchy, signals: list[Signal], level: int) -> None:
    ended = {signal.index * 0.5: signal.value for signal in signals if signal.boundary}
    assert hierarchy.boundaries(level).tolist() == list(ended)
    for event in hierarchy.levels[level]:
        inside = [signal.value for signal in signals if event.start_s <= signal.index * 0.5 < event.end_s]
        if inside:
            assert event.mean_signal == pytest.approx(sum(inside) / len(inside), rel=1e-9, abs=1e-12)
        else:
            assert event.mean_signal is None
    last = hierarchy.levels[level][-1]
    assert last.boundary_signal is None
    for event, following in itertools.pairwise(hierarchy.levels[level]):
        assert event.boundary_signal == ended[following.start_s]
        assert event.representation is not None
