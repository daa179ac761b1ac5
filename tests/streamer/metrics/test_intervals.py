"""Bootstrap intervals: what is counted, exact small cases, and how often they hold the true value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import StreamerError
from streamer.metrics import (
    bootstrap_interval,
    paired_difference,
    paired_pooled_difference,
    pooled_interval,
)

values = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12).map(np.array)


@given(values, st.integers(0, 1000))
def test_undefined_videos_are_left_out_and_counted(values_V, seed):
    defined = values_V[~np.isnan(values_V)]
    interval = bootstrap_interval(values_V, seed=seed, draws=50)
    assert (interval.videos, interval.undefined) == (len(defined), len(values_V) - len(defined))
    if len(defined):
        assert interval.mean == pytest.approx(defined.mean())
    else:
        assert math.isnan(interval.mean)
    if len(defined) > 1:
        assert defined.min() - 1e-12 <= interval.low <= interval.high <= defined.max() + 1e-12
    else:
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


def test_two_videos_give_the_three_means_that_can_be_drawn():
    interval = bootstrap_interval(np.array([0.0, 1.0]), seed=0, confidence=0.6)
    # 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4
    assert (interval.mean, interval.low, interval.high) == (0.5, 0, 1)
    assert bootstrap_interval(np.array([0.0, 1.0]), seed=0, confidence=0.3).low == 0.5


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        interval = bootstrap_interval(
            generator.normal(0.5, 0.1, size=60), seed=seed, draws=300, confidence=0.9
        )
        held += interval.low <= 0.5 <= interval.high
    assert 0.83 < held / 200 < 0.96


def test_the_width_is_that_of_the_standard_error():
    sample = np.random.default_rng(1).normal(size=400)
    interval = bootstrap_interval(sample, seed=0, draws=4000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * sample.std() / 20, rel=0.05)


def test_the_seed_decides_the_draws():
    sample = np.random.default_rng(1).normal(size=30)
    assert bootstrap_interval(sample, seed=3) == bootstrap_interval(sample, seed=3)
    assert bootstrap_interval(sample, seed=3) != bootstrap_interval(sample, seed=4)


def test_draws_in_blocks_are_as_good(monkeypatch):
    sample = np.random.default_rng(1).normal(size=30)
    monkeypatch.setattr("streamer.metrics.intervals._BLOCK", 100)
    interval = bootstrap_interval(sample, seed=0, draws=1000)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * sample.std() / 30**0.5, rel=0.15)


def test_pooling_weighs_videos_by_their_denominators():
    interval = pooled_interval(np.array([1.0, 8.0]), np.array([1.0, 99.0]), seed=0)
    assert interval.mean == 0.09
    assert interval.high == 1
    assert interval.low == pytest.approx(8 / 99)


def test_videos_without_denominator_are_left_out_of_the_pool():
    numerators, denominators = np.array([1.0, 0.0, math.nan, 1.0]), np.array([2.0, 0.0, math.nan, 4.0])
    interval = pooled_interval(numerators, denominators, seed=0)
    assert (interval.mean, interval.videos, interval.undefined) == (pytest.approx(1 / 3), 2, 2)


def test_wins_losses_and_ties_are_counted_per_video():
    a, b = np.array([0.5, 0.2, 0.3, math.nan, 0.9]), np.array([0.4, 0.3, 0.3, 0.1, math.nan])
    result = paired_difference(a, b, seed=0)
    assert (result.wins, result.losses, result.ties) == (1, 1, 1)
    assert (result.videos, result.undefined) == (3, 2)
    assert result.mean == pytest.approx(0)


def test_round_off_is_a_tie():
    assert paired_difference(np.array([0.1 + 0.2]), np.array([0.3]), seed=0).ties == 1


def test_pairing_removes_what_videos_have_in_common():
    generator = np.random.default_rng(0)
    difficulty = generator.uniform(size=50)
    better = difficulty + 0.01 + generator.normal(0, 0.01, size=50)
    result = paired_difference(better, difficulty, seed=0)
    assert 0 < result.low < 0.01 < result.high < 0.02


@given(values.filter(len), st.integers(0, 100))
def test_exchanging_the_two_turns_the_difference_round(values_V, seed):
    other = values_V[::-1]
    one, two = (
        paired_difference(*pair, seed=seed, draws=40) for pair in ((values_V, other), (other, values_V))
    )
    assert one.mean == pytest.approx(-two.mean, nan_ok=True)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low), nan_ok=True)
    assert (one.wins, one.losses, one.ties) == (two.losses, two.wins, two.ties)


def test_the_pooled_difference_is_that_of_the_pools():
    a, b = (np.array([1.0, 8.0]), np.array([1.0, 99.0])), (np.array([0.0, 30.0]), np.array([1.0, 60.0]))
    result = paired_pooled_difference(*a, *b, seed=0)
    assert result.mean == pytest.approx(9 / 100 - 30 / 61)
    assert (result.wins, result.losses) == (1, 1)
    assert result.high == pytest.approx(1)


def test_the_pooled_difference_leaves_out_videos_that_either_lacks():
    full, gap = np.array([1.0, 1.0, 1.0]), np.array([2.0, 0.0, 2.0])
    result = paired_pooled_difference(full, 2 * full, full, gap, seed=0)
    assert (result.videos, result.undefined, result.ties) == (2, 1, 2)


@pytest.mark.parametrize(("draws", "confidence", "what"), [(0, 0.95, "draws"), (10, 1.0, "confidence")])
def test_impossible_arguments_are_refused(draws, confidence, what):
    with pytest.raises(StreamerError, match=what):
        bootstrap_interval(np.array([0.1, 0.2]), seed=0, draws=draws, confidence=confidence)
