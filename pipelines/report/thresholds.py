"""The threshold that each signal of a level was compared with, from signals and configuration alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.config import StreamerConfig
from streamer.demarcation import AccumulatedError, Demarcation, demarcation_of

ROUNDING = 1e-5  # of a signal: they are stored as float32, and some were computed in other batches


@dataclass(frozen=True)
class Comparison:
    """What was compared with what.

    Attributes:
        values: float64 [n]: the signals, or their running sums where the rule sums them.
        limits: float64 [n]: beyond which of them an event ends, or may end where the mode asks for more; nan
            where nothing was compared.
        summed: whether the values are sums.
    """

    values: np.ndarray
    limits: np.ndarray
    summed: bool


def compare(
    signals: np.ndarray,
    boundaries: np.ndarray,
    model: StreamerConfig,
    level: int,
    snippets: np.ndarray | None = None,
) -> Comparison | None:
    """Works out the thresholds of a level of one video.

    Args:
        signals: all signals of the level in the video, in order, float64 [n].
        boundaries: whether it was known at each that an event has ended, bool [n].
        model: the configuration that the run was made with.
        level: the level.
        snippets: at which the signals were measured, int [n]; by default at every one but the first.

    Returns:
        The comparison; None where the boundaries contradict it, so that another rule must have been at work.
    """
    if snippets is None:
        snippets = np.arange(1, len(signals) + 1)
    rule = demarcation_of(model, level)
    values, limits, ends = _asked(rule, signals, boundaries, snippets, level)
    if model.demarcation.adaptive:
        beyond = np.where(ends, np.inf, -np.inf)
    else:
        beyond = limits - values if model.distance_of(level) == "similarity" else values - limits
    slack = ROUNDING * np.maximum(1.0, np.abs(values))
    # A full working set ends events too, so that boundaries without a crossing are no contradiction there.
    missed = (beyond > slack) & ~boundaries
    unasked = (beyond < -slack) & boundaries & (not model.force_fixed_buffer)
    if missed.any() or unasked.any():
        return None
    return Comparison(values, limits, isinstance(rule, AccumulatedError))


def _asked(
    rule: Demarcation, signals: np.ndarray, boundaries: np.ndarray, snippets: np.ndarray, level: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a rule compares, with what, and at which signals it takes an event for ended."""
    values, limits, ends = signals.copy(), np.full(len(signals), np.nan), np.zeros(len(signals), bool)
    before = -1
    for place, (signal, snippet) in enumerate(zip(signals.tolist(), snippets.tolist(), strict=True)):
        # Of an upper level, whose inputs come seldom, it is not known which of them had no signal.
        for _ in range(snippet - before - 1 if level == 0 else place == 0):
            rule.missed()
        before = snippet
        if isinstance(rule, AccumulatedError):
            values[place] = rule.sum + signal
        ends[place] = rule(signal, snippet)
        limits[place] = rule.limit
        if boundaries[place] and not ends[place]:
            rule.ended()
    return values, limits, ends
