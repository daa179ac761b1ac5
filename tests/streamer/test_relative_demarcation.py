"""Rules that read signals relative to the last ones."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.demarcation import event_starts, make_demarcation
from streamer.demarcation_config import DemarcationConfig

MODES: list[Any] = ["deviation", "quantile", "peak"]
DISTANCES: Any = st.sampled_from(["similarity", "distance"])
ERRORS = st.lists(st.integers(0, 128).map(lambda k: k / 64), min_size=2, max_size=60)
QUICK: dict[str, Any] = {"window_size": 5}


def rule_of(mode: Any, distance: Any = "distance", **options: Any) -> Any:
    return make_demarcation(DemarcationConfig(mode=mode, **options), distance)


def as_signals(errors: list[float], distance: str) -> list[float]:
    return [1 - error for error in errors] if distance == "similarity" else errors


def ratios(errors: list[float]) -> list[float]:
    """Of each error but the first."""
    level, result = errors[0], []
    for error in errors[1:]:
        ratio = math.log((error + 0.1) / (level + 0.1))
        result.append(0.0 if abs(ratio) < 1e-5 else ratio)
        level += (error - level) / 6
    return result


@pytest.mark.parametrize("mode", MODES)
@given(ERRORS, DISTANCES)
@settings(deadline=None, max_examples=30)
def test_the_rule_reads_logarithms_of_errors_over_their_level(mode, errors, distance):
    relative = rule_of(mode, distance, relative=True, **QUICK)
    plain = rule_of(mode, **QUICK)
    relative.missed()
    plain.missed()
    plain.missed()  # the first error has none before it
    found = [relative(signal) for signal in as_signals(errors, distance)]
    assert found == [False, *(plain(ratio) for ratio in ratios(errors))]


@pytest.mark.parametrize("mode", MODES)
@given(ERRORS, DISTANCES)
@settings(deadline=None, max_examples=30)
def test_the_limit_is_a_signal(mode, errors, distance):
    relative = rule_of(mode, distance, relative=True, **QUICK)
    plain = rule_of(mode, **QUICK)
    signals = as_signals(errors, distance)
    relative(signals[0])
    for signal, ratio in zip(signals[1:], ratios(errors), strict=True):
        relative(signal)
        plain(ratio)
        if math.isnan(plain.limit):
            assert math.isnan(relative.limit)
        elif abs(ratio - plain.limit) > 1e-4:
            beyond = signal < relative.limit if distance == "similarity" else signal > relative.limit
            assert beyond == (ratio > plain.limit)


@pytest.mark.parametrize("distance", ["similarity", "distance"])
def test_peaks_are_found_in_scenes_of_small_and_of_large_errors(distance):
    """Without it a scene of large errors hides what follows."""
    small, large = [0.1, 0.11, 0.09] * 10, [1.0, 1.1, 0.9] * 10
    small[20], large[20] = 0.6, 2.0
    errors = [*large, *small]
    found = {
        relative: event_starts(
            as_signals(errors, distance),
            rule_of("deviation", distance, deviations=2.0, window_size=60, relative=relative),
        )
        for relative in (False, True)
    }
    assert {21, 51} <= set(found[True])
    assert 51 not in found[False]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.4])
def test_rounding_ends_no_event(mode, value):
    rule = rule_of(mode, "similarity", relative=True, **QUICK)
    signals = [value + (place % 7) * 1e-7 for place in range(60)]
    assert event_starts(signals, rule) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", [0, 1, 9, 30])
def test_it_goes_on_from_what_another_remembered(mode, at):
    errors = [abs(math.sin(place * place)) for place in range(60)]
    one, other = (rule_of(mode, relative=True, **QUICK) for _ in range(2))
    for error in errors[:at]:
        one(error)
    other.recall(one.remembered())
    assert [one(error) for error in errors[at:]] == [other(error) for error in errors[at:]]
    assert one.remembered() == other.remembered()
    assert one.pending == other.pending


def test_what_it_is_told_reaches_the_rule():
    rule, plain = rule_of("peak", relative=True, **QUICK), rule_of("peak", **QUICK)
    assert rule.delay == plain.delay == 1
    for error in (0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1.5):
        rule(error)
    assert rule.pending
    rule.ended()
    assert not rule.pending


def test_any_limit_is_a_number():
    rule = rule_of("deviation", relative=True, deviations=1e6, **QUICK)
    for place in range(20):
        rule(1e30 if place % 3 else 0.0)
    assert rule.limit > 1e30
