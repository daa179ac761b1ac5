"""Rules whose threshold follows: each against its definition, and what all of them must not do."""

from __future__ import annotations

import math
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.demarcation import event_starts, make_demarcation
from streamer.demarcation_config import LEAST_WINDOW, DemarcationConfig

MODES = ["deviation", "quantile", "peak"]
DISTANCES = st.sampled_from(["similarity", "distance"])
# Multiples of 1/64 that are not all alike: ties are frequent, rounding is not at stake.
SIGNALS = st.lists(st.integers(-128, 128).map(lambda k: k / 64), min_size=1, max_size=80)


def rule_of(mode: Any, distance: Any = "distance", **options: Any) -> Any:
    return make_demarcation(DemarcationConfig(mode=mode, **options), distance)


def bad(signals: list[float], distance: str) -> list[float]:
    return [-signal for signal in signals] if distance == "similarity" else signals


def far_apart(values: list[bool], least: int) -> list[bool]:
    """Drops ends of events that have fewer than `least` inputs; the first event has one without a signal."""
    inputs, kept = 1, []
    for value in values:
        kept.append(value and inputs >= least)
        inputs = 1 if kept[-1] else inputs + 1
    return kept


@given(SIGNALS, DISTANCES, st.integers(5, 20), st.sampled_from([0.5, 1.0, 2.5]), st.integers(1, 4))
@settings(deadline=None)
def test_deviation_compares_with_mean_and_standard_deviation(signals, distance, size, deviations, least):
    rule = rule_of("deviation", distance, window_size=size, deviations=deviations, least_length=least)
    rule.missed()
    found = [rule(signal) for signal in signals]
    expected, doubtful = [], False
    values = bad(signals, distance)
    for index, value in enumerate(values):
        window = values[max(0, index - size) : index]
        if len(window) < LEAST_WINDOW:
            expected.append(False)
            continue
        limit = fmean(window) + deviations * pstdev(window)
        doubtful |= abs(value - limit) < 1e-5
        expected.append(value > limit)
    if not doubtful:
        assert found == far_apart(expected, least)


@given(SIGNALS, DISTANCES, st.integers(5, 20), st.sampled_from([0.1, 0.25, 0.5]), st.integers(1, 4))
@settings(deadline=None)
def test_quantile_counts_the_signals_that_are_as_bad(signals, distance, size, share, least):
    rule = rule_of("quantile", distance, window_size=size, share=share, least_length=least)
    rule.missed()
    found = [rule(signal) for signal in signals]
    expected = []
    values = bad(signals, distance)
    for index, value in enumerate(values):
        window = sorted(values[max(0, index - size) : index])
        if len(window) < LEAST_WINDOW:
            expected.append(False)
            continue
        as_bad = sum(other >= value for other in window)
        middle = window[len(window) // 2]
        expected.append(as_bad < share * len(window) and value > middle + 1e-6 * abs(middle))
    assert found == far_apart(expected, least)


@given(SIGNALS, DISTANCES, st.integers(5, 20), st.sampled_from([0.1, 0.25, 0.5]), st.integers(1, 4))
@settings(deadline=None)
def test_peak_is_a_bad_signal_between_better_ones(signals, distance, size, share, least):
    options = {"window_size": size, "share": share}
    among_worst = rule_of("quantile", distance, **options)
    crosses = [among_worst(signal) for signal in signals]
    values = bad(signals, distance)
    peaks = [
        crosses[k] and 0 < k < len(values) - 1 and values[k - 1] < values[k] >= values[k + 1]
        for k in range(len(values))
    ]
    starts, last = [], 0
    for place, peak in enumerate(peaks, start=1):
        if peak and place - last >= least:
            starts.append(place)
            last = place
    rule = rule_of("peak", distance, **options, least_length=least)
    assert event_starts(signals, rule) == starts


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("distance", ["similarity", "distance"])
@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 1e-9, 1e9])
def test_a_still_picture_is_one_event(mode, distance, value):
    assert (
        event_starts(
            [value] * 500,
            rule_of(mode, distance, share=0.5) if mode != "deviation" else rule_of(mode, distance),
        )
        == []
    )


@pytest.mark.parametrize("mode", MODES)
def test_rounding_of_a_still_picture_is_no_event(mode):
    signals = [1.0 + 1e-7 * math.sin(k) for k in range(500)]
    assert event_starts(signals, rule_of(mode, "similarity")) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("distance", ["similarity", "distance"])
def test_a_cut_in_a_still_picture_is_found_exactly(mode, distance):
    signals = [1.0] * 60
    for place in (20, 40):
        signals[place - 1] = 0.2 if distance == "similarity" else 5.0
    assert event_starts(signals, rule_of(mode, distance)) == [20, 40]


@pytest.mark.parametrize("mode", MODES)
@given(signals=st.lists(st.floats(-1, 1), min_size=1, max_size=LEAST_WINDOW))
@settings(deadline=None)
def test_the_first_signals_end_nothing(mode, signals):
    assert event_starts(signals, rule_of(mode)) == []


@pytest.mark.parametrize("mode", MODES)
@given(signals=SIGNALS, least=st.integers(1, 6))
@settings(deadline=None)
def test_no_event_but_the_last_is_shorter_than_the_least_length(mode, signals, least):
    starts = event_starts(signals, rule_of(mode, least_length=least, window_size=10))
    assert all(b - a >= least for a, b in zip([0, *starts], starts, strict=False))


@pytest.mark.parametrize("mode", MODES)
@given(signals=SIGNALS, cut=st.integers(0, 80), distance=DISTANCES)
@settings(deadline=None)
def test_one_that_recalls_goes_on_alike(mode, signals, cut, distance):
    options = {"window_size": 12, "least_length": 2}
    rule, other = rule_of(mode, distance, **options), rule_of(mode, distance, **options)
    rule.missed()
    for signal in signals[:cut]:
        rule(signal)
    other.recall(rule.remembered())
    assert [other(signal) for signal in signals[cut:]] == [rule(signal) for signal in signals[cut:]]
    assert other.remembered() == rule.remembered()


def test_a_peak_beside_an_end_of_another_cause_is_none():
    rule = rule_of("peak")
    for signal in [0.0] * 20:
        rule(signal)
    assert not rule(1.0)
    rule.ended()  # the event already ends before the input that would be the peak
    assert not rule(0.0)


def test_a_peak_whose_next_input_has_no_signal_is_none():
    rule = rule_of("peak")
    for signal in [0.0] * 20:
        rule(signal)
    assert not rule(1.0)
    rule.missed()
    assert not rule(0.0)


@pytest.mark.parametrize("mode", ["deviation", "quantile"])
def test_an_end_of_another_cause_begins_an_event(mode):
    rule = rule_of(mode, least_length=3)
    for signal in [0.0] * 20:
        rule(signal)
    rule.ended()
    assert not rule(1.0)
    assert not rule(2.0)
    assert rule(3.0)


def test_the_limit_is_told():
    rule = rule_of("quantile", "similarity", share=0.2)
    for signal in (0.9, 0.8, 0.7, 0.6, 0.5):
        rule(signal)
        assert math.isnan(rule.limit)
    assert not rule(0.95)
    assert rule.limit == 0.5


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_signals_that_are_not_finite_count_as_if_there_were_none(mode, relative, broken):
    signals = [2.0 ** -((k * 37) % 11) for k in range(200)]
    one, other = (rule_of(mode, window_size=8, relative=relative) for _ in range(2))
    ends = []
    for place, signal in enumerate(signals):
        if place % 13 == 5:
            assert not one(broken)
            assert math.isnan(one.limit)
            other.missed()
        else:
            ends.append(one(signal))
            assert ends[-1] == other(signal)
    assert any(ends)
