import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.credit import reach_weights


@pytest.mark.parametrize(
    ("level", "num_levels", "expected"),
    [
        (0, 1, [1.0]),
        (0, 3, [9 / 13, 3 / 13, 1 / 13]),
        (1, 3, [1 / 4, 3 / 4, 1 / 4]),
        (2, 3, [1 / 13, 3 / 13, 9 / 13]),
    ],
)
def test_worked_examples(level, num_levels, expected):
    assert reach_weights(level, num_levels, 3) == pytest.approx(expected, rel=1e-15)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))), st.floats(0.5, 8))
def test_weights_at_the_distances_that_occur_sum_to_one(where, alpha):
    level, num_levels = where
    weights = reach_weights(level, num_levels, alpha)
    assert len(weights) == num_levels
    by_distance = {abs(other - level): weight for other, weight in enumerate(weights)}
    assert sum(by_distance.values()) == pytest.approx(1)
    for distance, weight in by_distance.items():
        assert weight == pytest.approx(by_distance[0] * alpha**-distance)
    assert all(weights[other] == by_distance[abs(other - level)] for other in range(num_levels))


def test_with_alpha_1_all_levels_get_the_same():
    assert reach_weights(1, 4, 1.0) == pytest.approx([1 / 3] * 4)
