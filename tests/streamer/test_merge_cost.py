"""What mergers cost: bounded, symmetric, and by palettes where views differ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.merge_cost import SAME_VIEW, PaletteCost, cosine_ward

VECTORS = st.lists(st.floats(-10, 10), min_size=4, max_size=4).map(np.array)
COUNTS = st.integers(1, 1000).map(float)


@given(COUNTS, COUNTS, VECTORS, VECTORS)
def test_costs_are_bounded_and_symmetric(one, other, a, b):
    for cost, most in ((cosine_ward, 0.0), (PaletteCost(2), SAME_VIEW)):
        value = cost(one, other, a, b)
        assert 0 <= value <= most + 2 * min(one, other)
        assert value == pytest.approx(cost(other, one, b, a))


def test_directions_count_and_lengths_do_not():
    a, b = np.array([1.0, 0.0]), np.array([1.0, 1.0])
    assert cosine_ward(6, 3, a, 5 * b) == pytest.approx(2 * (1 - 0.5**0.5))
    assert cosine_ward(6, 3, a, 7 * a) == 0


def test_vectors_of_zeros():
    zero, some = np.zeros(2), np.array([0.0, 3.0])
    assert cosine_ward(2, 2, zero, zero) == 0
    assert cosine_ward(2, 2, zero, some) == cosine_ward(2, 2, some, zero) == 1


def test_tiny_vectors():
    tiny = np.array([1e-160, 0.0])
    assert cosine_ward(2, 2, tiny, tiny) == pytest.approx(0, abs=1e-3)
    assert 0 <= cosine_ward(2, 2, tiny, np.array([0.0, 1e-161])) <= 2


@pytest.mark.parametrize(
    ("palette", "view", "cost"),
    [
        ([0.0, 1.0], [1.0, 0.1], cosine_ward(8, 8, np.array([1.0, 0.0]), np.array([1.0, 0.1]))),
        ([1.0, 0.0], [0.0, 1.0], 1.0),
        ([0.0, 1.0], [0.0, 1.0], 5.0),
    ],
    ids=[
        "the same view, whatever its colours",
        "another view, the same colours",
        "another view, other colours",
    ],
)
def test_palettes_count_from_a_change_of_view_on(palette, view, cost):
    one, other = np.array([1.0, 0.0, 1.0, 0.0]), np.array([*palette, *view])
    assert PaletteCost(2)(8, 8, one, other) == pytest.approx(cost)
