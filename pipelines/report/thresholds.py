"""The threshold that each signal of a level was compared with, from signals and configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.config import StreamerConfig
from streamer.demarcation import AccumulatedError, FixedThreshold, RunningAverage, make_demarcation

ROUNDING = 1e-5  # of a signal: they are stored as float32, and some were computed in other batches


@dataclass(frozen=True)
class Comparison:
    """What was compared with what.

    Attributes:
        values: float64 [n]: the signals, or their running sums where the rule sums them.
        limits: float64 [n]: beyond which of them an event ends; nan where nothing was compared.
        summed: whether the values are sums.
    """

    values: np.ndarray
    limits: np.ndarray
    summed: bool


def compare(
    signals: np.ndarray, boundaries: np.ndarray, model: StreamerConfig, level: int
) -> Comparison | None:
    """Works out the thresholds of a level of one video.

    Args:
        signals: all signals of the level in the video, in order, float64 [n].
        boundaries: whether an event ended at each, bool [n].
        model: the configuration that the run was made with.
        level: the level.

    Returns:
        The comparison; None where the boundaries contradict it, so that another rule must have been at work.
    """
    distance = model.distance_of(level)
    rule = make_demarcation(model.demarcation, distance)
    values, limits = signals.copy(), np.full(len(signals), np.nan)
    for place, signal in enumerate(signals.tolist()):
        if isinstance(rule, FixedThreshold):
            limits[place] = rule.threshold
        elif isinstance(rule, AccumulatedError):
            values[place], limits[place] = rule.sum + signal, rule.threshold
        elif isinstance(rule, RunningAverage) and rule.window:
            mean = sum(rule.window) / len(rule.window)
            multiplied = rule.modifier_type == "multiply"
            limits[place] = mean * rule.modifier if multiplied else mean + rule.modifier
        rule(signal)
    beyond = limits - values if distance == "similarity" else values - limits
    slack = ROUNDING * np.maximum(1.0, np.abs(values))
    # A full working set ends events too, so that boundaries without a crossing are no contradiction there.
    missed = (beyond > slack) & ~boundaries
    unasked = (beyond < -slack) & boundaries & (not model.force_fixed_buffer)
    if missed.any() or unasked.any():
        return None
    return Comparison(values, limits, isinstance(rule, AccumulatedError))
