"""The sparse matching against scipy's dense assignment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from streamer.metrics.matching import maximum_weight_matching


@given(st.integers(1, 8), st.integers(1, 8), st.floats(0, 1), st.integers(0, 2**32))
def test_total_weight_is_that_of_the_dense_assignment(height, width, density, seed):
    generator = np.random.default_rng(seed)
    dense = generator.random((height, width)) * (generator.random((height, width)) < density)
    rows, columns = np.nonzero(dense)
    matched = maximum_weight_matching(rows, columns, dense[rows, columns], dense.shape)
    assert len(set(rows[matched])) == len(set(columns[matched])) == len(matched)
    best = dense[linear_sum_assignment(dense, maximize=True)].sum()
    np.testing.assert_allclose(dense[rows[matched], columns[matched]].sum(), best)


def test_nothing_to_match():
    nothing = np.empty(0, dtype=np.int64)
    assert maximum_weight_matching(nothing, nothing, np.empty(0), (3, 0)).tolist() == []
    assert maximum_weight_matching(nothing, nothing, np.empty(0), (0, 2)).tolist() == []
