"""Events become as long as wanted, whatever the signal is like, from the first minutes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamer.calibration import MOST_OWED, Calibration
from streamer.demarcation import event_starts, make_demarcation
from streamer.demarcation_config import DemarcationConfig

FIVE_MINUTES = 600  # snippets of half a second
Random = np.random.Generator


def bursts(random: Random, n: int, lasting: int) -> np.ndarray:
    lively = np.arange(n) // lasting % 2 == 0
    return 0.9 - np.where(lively, 0.3, 0.01) * random.exponential(1, n)


def cuts(random: Random, n: int) -> np.ndarray:
    signals = 0.95 - 0.01 * random.exponential(1, n)
    signals[random.random(n) < 1 / 20] -= 0.3
    return signals


STREAMS: dict[str, Callable[[Random, int], np.ndarray]] = {
    "random": lambda random, n: random.normal(0.8, 0.05, n),
    "skewed": lambda random, n: -random.exponential(1, n),
    "long-tailed": lambda random, n: -np.exp(random.normal(0, 1, n)),
    "getting better": lambda random, n: np.linspace(0.2, 0.95, n) + random.normal(0, 0.05, n),
    "getting worse": lambda random, n: np.linspace(0.95, 0.2, n) + random.normal(0, 0.05, n),
    "growing": lambda random, n: 0.9 - np.geomspace(0.003, 1, n) * random.exponential(1, n),
    "swinging": lambda random, n: 0.5 + 0.1 * np.sin(np.arange(n) / 100) + random.normal(0, 0.05, n),
    "bursts of a minute": lambda random, n: bursts(random, n, 120),
    "bursts of three minutes": lambda random, n: bursts(random, n, 360),
    "few cuts": cuts,
}


def calibrated(mode: Any, length: float, distance: Any = "similarity") -> Any:
    config = DemarcationConfig(mode=mode, window_size=200, least_length=2)
    return make_demarcation(config, distance, Calibration(length, least_length=2))


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("length", [4, 10, 20])
@pytest.mark.parametrize("mode", ["deviation", "quantile", "peak"])
def test_counts_are_within_a_factor_of_one_and_a_half_from_five_minutes_on(mode, length, stream):
    for seed in (0, 1):
        signals = STREAMS[stream](np.random.default_rng(seed), 6 * FIVE_MINUTES).tolist()
        starts = event_starts(signals, calibrated(mode, length))
        for end in range(FIVE_MINUTES, 6 * FIVE_MINUTES + 1, FIVE_MINUTES // 2):
            events = 1 + sum(start < end for start in starts)
            assert 1 / 1.5 <= events / (end / length) <= 1.5, (seed, end)


@pytest.mark.parametrize("mode", ["deviation", "quantile", "peak"])
@pytest.mark.parametrize("length", [60, 120])
def test_events_of_a_minute_need_half_an_hour(mode, length):
    for stream in ("random", "skewed", "bursts of a minute", "few cuts"):
        signals = STREAMS[stream](np.random.default_rng(0), 6 * FIVE_MINUTES).tolist()
        events = 1 + len(event_starts(signals, calibrated(mode, length)))
        assert 1 / 1.5 <= events / (6 * FIVE_MINUTES / length) <= 1.5, stream


@pytest.mark.parametrize("distance", ["similarity", "distance"])
def test_both_distances(distance):
    signals = STREAMS["skewed"](np.random.default_rng(0), FIVE_MINUTES)
    signals = signals if distance == "similarity" else -signals
    events = 1 + len(event_starts(signals.tolist(), calibrated("quantile", 10, distance)))
    assert events == pytest.approx(FIVE_MINUTES / 10, rel=0.1)


@pytest.mark.parametrize("mode", ["deviation", "quantile", "peak"])
def test_a_long_still_stretch_is_not_made_up_for(mode):
    random = np.random.default_rng(0)
    signals = np.full(20 * FIVE_MINUTES, 0.9)
    still = slice(2 * FIVE_MINUTES, 18 * FIVE_MINUTES)
    lively = np.r_[0 : still.start, still.stop : len(signals)]
    signals[lively] -= 0.1 * random.exponential(1, len(lively))
    starts = np.array(event_starts(signals.tolist(), calibrated(mode, 10)))
    within = (starts > still.start + 10) & (starts < still.stop)
    assert not within.any(), "nothing happens there"
    due = (len(signals) - still.stop) / 10
    after = int((starts >= still.stop).sum())
    assert due / 1.5 <= after <= due + 2 * MOST_OWED


@pytest.mark.parametrize("mode", ["deviation", "quantile", "peak"])
def test_a_lively_stretch_is_not_followed_by_silence(mode):
    random = np.random.default_rng(0)
    signals = 0.9 - 0.01 * random.exponential(1, 4 * FIVE_MINUTES)
    signals[FIVE_MINUTES : 2 * FIVE_MINUTES : 3] -= 0.5
    starts = event_starts(signals.tolist(), calibrated(mode, 20))
    gaps = np.diff([0, *starts, len(signals)])
    assert gaps.max() < 20 * 10


@pytest.mark.parametrize("mode", ["deviation", "quantile", "peak"])
def test_one_that_recalls_goes_on_alike(mode):
    signals = STREAMS["bursts of a minute"](np.random.default_rng(0), 400).tolist()
    rule, other = calibrated(mode, 10), calibrated(mode, 10)
    for index, signal in enumerate(signals[:250], start=1):
        rule(signal, index)
    other.recall(rule.remembered())
    for index, signal in enumerate(signals[250:], start=251):
        assert other(signal, index) == rule(signal, index)
    assert other.remembered() == rule.remembered()


def test_time_counts_and_not_the_number_of_signals():
    """As on upper levels, whose inputs are events of the level below."""
    signals = STREAMS["random"](np.random.default_rng(0), 4 * FIVE_MINUTES).tolist()
    config = DemarcationConfig(mode="quantile", window_size=200)
    rule = make_demarcation(config, "similarity", Calibration(40, step=4))
    events = 1 + sum(rule(signal, 4 * place) for place, signal in enumerate(signals, start=1))
    assert events == pytest.approx(4 * len(signals) / 40, rel=0.1)
