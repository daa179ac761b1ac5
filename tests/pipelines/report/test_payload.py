"""Data as scripts: whole, in ASCII, and never more than data."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.report.payload import STEPS, differences, milliseconds, quantised, rounded, script
from tests.pipelines.report.material import HOSTILE

values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20)


@given(st.text(), values)
def test_a_script_hands_over_what_was_given_and_holds_no_markup(name: str, value: object) -> None:
    text = script(name, [value, *HOSTILE])
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert text.count("\n") == 1
    head, tail = "report.receive(", ");\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    assert json.loads(f"[{text[len(head) : -len(tail)]}]") == [name, [value, *HOSTILE]]


@given(st.lists(st.integers(0, 10**7)))
def test_differences_add_up_to_the_numbers(numbers: list[int]) -> None:
    numbers.sort()
    assert np.cumsum(differences(np.array(numbers, np.int64))).tolist() == numbers


def test_times_keep_their_milliseconds() -> None:
    assert milliseconds(np.array([0.0, 0.5, 1.0011])) == [0, 500, 501]


@given(st.lists(st.floats(-10, 10), min_size=1))
def test_quantised_numbers_are_off_by_half_a_step_at_most(numbers: list[float]) -> None:
    low, high = min(numbers), max(numbers)
    steps = quantised(np.array(numbers), low, high)
    for step, number in zip(steps, numbers, strict=True):
        assert step is not None
        assert 0 <= step <= STEPS
        assert math.isclose(
            low + step * (high - low) / STEPS, number, abs_tol=0.51 * (high - low) / STEPS + 1e-12
        )


def test_what_is_no_number_is_null() -> None:
    assert quantised(np.array([0.0, math.nan, 1.0]), 0.0, 1.0) == [0, None, STEPS]
    assert rounded([0.123456, math.nan, None, math.inf, -1234567.0]) == [0.1235, None, None, None, -1235000.0]
