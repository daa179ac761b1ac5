"""What is drawn for an option stays between its ends, and follows from the seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sweep.space import Choices, Range, random_settings

seeds = st.integers(0, 2**32 - 1)
ends = st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)).filter(lambda pair: pair[0] < pair[1])


@given(ends, seeds)
def test_uniform_numbers_stay_between_their_ends(pair, seed):
    low, high = pair
    assert low <= Range("uniform", low, high).draw(np.random.default_rng(seed)) <= high


def test_rounding_does_not_lead_past_an_end():
    low, high = 1.0000001, 1.0000002
    assert Range("uniform", low, high).draw(np.random.default_rng(0)) == low


@given(st.floats(1e-12, 1.0), st.floats(1.001, 1e9), seeds)
def test_loguniform_numbers_stay_between_their_ends(low, factor, seed):
    drawn = Range("loguniform", low, low * factor).draw(np.random.default_rng(seed))
    assert low <= drawn <= low * factor


def test_whole_numbers_reach_both_ends():
    random = np.random.default_rng(0)
    drawn = {Range("randint", 1, 3).draw(random) for _ in range(100)}
    assert drawn == {1, 2, 3}
    assert {type(number) for number in drawn} == {int}


def test_loguniform_numbers_are_even_in_their_logarithm():
    random = np.random.default_rng(0)
    drawn = [Range("loguniform", 1e-4, 1.0).draw(random) for _ in range(2000)]
    shares = np.histogram(np.log10(drawn), bins=4, range=(-4, 0))[0] / len(drawn)
    np.testing.assert_allclose(shares, 0.25, atol=0.04)


@given(st.integers(1, 6), st.integers(1, 30), seeds)
def test_settings_are_different_and_more_begin_as_fewer_do(choices, samples, seed):
    space = {"a": Choices(tuple(range(choices))), "b": Range("randint", 1, 30)}
    few = list(random_settings(space, min(samples, choices * 30), seed))
    assert len({tuple(settings.values()) for settings in few}) == len(few)
    assert list(random_settings(space, choices * 30, seed))[: len(few)] == few
