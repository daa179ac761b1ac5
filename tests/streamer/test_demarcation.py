from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import DemarcationConfig
from streamer.demarcation import make_demarcation

# Multiples of 1/64: sums are exact, so that ties are ties in any order of summing.
SIGNALS = st.lists(st.integers(-128, 128).map(lambda k: k / 64), max_size=60)
DISTANCES = st.sampled_from(["similarity", "distance"])


def boundaries(config: DemarcationConfig, distance: Any, signals: list[float]) -> list[bool]:
    rule = make_demarcation(config, distance)
    return [rule(signal) for signal in signals]


@given(SIGNALS, DISTANCES, st.integers(-64, 64).map(lambda k: k / 64))
@settings(deadline=None)
def test_fixed_compares_with_the_threshold(signals, distance, threshold):
    config = DemarcationConfig(mode="fixed", threshold=threshold)
    expected = [s < threshold if distance == "similarity" else s > threshold for s in signals]
    assert boundaries(config, distance, signals) == expected


@given(SIGNALS, st.integers(0, 256).map(lambda k: k / 64))
@settings(deadline=None)
def test_accumulate_starts_again_only_when_the_sum_exceeds_the_threshold(signals, threshold):
    expected, start = [], 0
    for end in range(1, len(signals) + 1):
        expected.append(sum(signals[start:end]) > threshold)
        start = end if expected[-1] else start
    config = DemarcationConfig(mode="accumulate", threshold=threshold)
    assert boundaries(config, "distance", signals) == expected


@given(
    SIGNALS,
    DISTANCES,
    st.integers(1, 8),
    st.sampled_from(["multiply", "add"]),
    st.integers(-128, 128).map(lambda k: k / 64),
)
@settings(deadline=None)
def test_average_compares_with_the_mean_of_the_signals_before(signals, distance, size, kind, modifier):
    config = DemarcationConfig(window_size=size, modifier_type=kind, modifier=modifier)
    expected = []
    for index, signal in enumerate(signals):
        window = signals[max(0, index - size) : index]
        if not window:
            expected.append(False)
            continue
        mean = sum(window) / len(window)
        limit = mean * modifier if kind == "multiply" else mean + modifier
        expected.append(signal < limit if distance == "similarity" else signal > limit)
    assert boundaries(config, distance, signals) == expected


@pytest.mark.parametrize("distance", ["similarity", "distance"])
def test_equality_is_no_boundary(distance):
    assert boundaries(DemarcationConfig(mode="fixed", threshold=0.5), distance, [0.5]) == [False]
    assert boundaries(DemarcationConfig(), distance, [0.5, 0.5, 0.5]) == [False] * 3
    assert (
        boundaries(DemarcationConfig(mode="accumulate", threshold=1.0), "distance", [0.5, 0.5]) == [False] * 2
    )


def test_rules_share_no_state():
    config = DemarcationConfig(mode="accumulate", threshold=1.0)
    one, other = make_demarcation(config, "distance"), make_demarcation(config, "distance")
    assert not one(0.9)
    assert not other(0.9)
    assert one(0.2)
