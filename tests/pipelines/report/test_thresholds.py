"""Thresholds from stored signals: the rule itself must agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.thresholds import compare
from streamer.config import DemarcationConfig, StreamerConfig
from streamer.demarcation import make_demarcation

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
