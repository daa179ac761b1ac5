"""Thresholds from stored signals: the rule itself must agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.thresholds import compare
from streamer.config import DemarcationConfig, StreamerConfig
from streamer.demarcation import demarcation_of, make_demarcation

RULES = [
    (DemarcationConfig(window_size=4), "similarity"),
    (DemarcationConfig(window_size=3, modifier_type="add", modifier=0.1), "distance"),
    (DemarcationConfig(mode="fixed", threshold=0.5), "similarity"),
    (DemarcationConfig(mode="accumulate", threshold=1.5), "distance"),
]
signals = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60)


@pytest.mark.parametrize(("demarcation", "distance"), RULES)
@given(values=signals)
def test_an_event_ends_exactly_where_the_threshold_is_passed(
    demarcation: DemarcationConfig, distance: str, values: list[float]
) -> None:
    model = StreamerConfig(demarcation=demarcation, distance=distance)  # pyright: ignore[reportArgumentType]
    rule = make_demarcation(demarcation, model.distance_of(0))
    boundaries = np.array([rule(value) for value in values])
    found = compare(np.array(values), boundaries, model, 0)
    assert found is not None
    passed = found.values < found.limits if distance == "similarity" else found.values > found.limits
    assert passed.tolist() == boundaries.tolist()
    assert found.summed == (demarcation.mode == "accumulate")


ADAPTIVE = [
    DemarcationConfig(mode="deviation", window_size=8, deviations=0.5),
    DemarcationConfig(mode="quantile", window_size=8, share=0.4, least_length=2),
    DemarcationConfig(mode="peak", window_size=8, share=0.5),
]


@pytest.mark.parametrize("demarcation", ADAPTIVE, ids=lambda rule: rule.mode)
@given(values=signals, missing=st.sets(st.integers(1, 60), max_size=3))
def test_thresholds_that_follow_are_those_that_signals_were_compared_with(demarcation, values, missing):
    model = StreamerConfig(demarcation=demarcation)
    rule = make_demarcation(demarcation, "similarity")
    rule.missed()
    snippets, boundaries, limits = [], [], []
    snippet = 0
    for value in values:
        snippet += 1
        if snippet in missing:  # an input without a signal, after an optimiser step
            rule.missed()
            snippet += 1
        snippets.append(snippet)
        boundaries.append(rule(value, snippet))
        limits.append(rule.limit)
    found = compare(np.array(values), np.array(boundaries), model, 0, np.array(snippets))
    assert found is not None
    np.testing.assert_array_equal(found.limits, limits)
    flipped = np.array(boundaries)
    flipped[-1] = not flipped[-1]
    assert compare(np.array(values), flipped, model, 0, np.array(snippets)) is None


def test_calibrated_thresholds_are_known_too():
    rule = DemarcationConfig(mode="quantile", window_size=50)
    model = StreamerConfig(demarcation=rule, timescales=(2.0, 10.0, 60.0))
    values = np.random.default_rng(0).normal(0.5, 0.1, 300)
    followed = demarcation_of(model, 0)
    followed.missed()
    boundaries = np.array([followed(value, place) for place, value in enumerate(values.tolist(), start=1)])
    assert boundaries.sum() > 30
    assert compare(values, boundaries, model, 0) is not None


def test_nothing_is_claimed_where_another_rule_was_at_work() -> None:
    values = np.array([0.9, 0.9, 0.1, 0.9, 0.9])
    model = StreamerConfig()
    rule = make_demarcation(model.demarcation, "similarity")
    boundaries = np.array([rule(value) for value in values.tolist()])
    assert compare(values, boundaries, model, 0) is not None
    assert compare(values, ~boundaries, model, 0) is None
    unasked = boundaries.copy()
    unasked[-1] = True
    assert compare(values, unasked, model, 0) is None
    forced = StreamerConfig(force_fixed_buffer=True)
    assert compare(values, unasked, forced, 0) is not None, "a full working set ends events too"
