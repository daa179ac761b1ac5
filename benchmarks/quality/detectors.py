"""Signals that nobody has to learn: how much a snippet differs from the last one, or from the last few."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.quality.watching import Watched
from streamer.features import BINS, QUARTERS

HISTOGRAM = QUARTERS * QUARTERS * BINS**3
"""Numbers of the histogram, the last ones of a frame's features."""

RECALLED = 4
"""Snippets that `recall` compares with."""

PRIOR = 20.0
"""Snippets of zeros that a running mean starts with."""


def difference(watched: Watched) -> np.ndarray:
    """Mean absolute difference of the pixels of consecutive frames, [T] with nan first."""
    frames = watched.frames.astype(np.int16)
    return _after_first(np.abs(frames[1:] - frames[:-1]).mean(axis=(1, 2, 3)))


def histogram(watched: Watched) -> np.ndarray:
    """One less the cosine of consecutive colour histograms, [T] with nan first."""
    return nearest(watched.features[:, -HISTOGRAM:], 1)


def comb(watched: Watched) -> np.ndarray:
    """The same of all features, less their running mean."""
    return nearest(running_centred(watched.features), 1)


def recall(watched: Watched) -> np.ndarray:
    """The same, to the most alike of the last few snippets: what has just been seen is no news."""
    return nearest(running_centred(watched.features), RECALLED)


def nearest(vectors_TD: np.ndarray, last: int) -> np.ndarray:
    """One less the highest cosine with any of the `last` vectors before, [T] with nan first."""
    lengths = np.linalg.norm(vectors_TD, axis=1, keepdims=True)
    unit = vectors_TD / np.where(lengths > 0, lengths, 1.0)
    likest = np.full(len(unit), -np.inf)
    for back in range(1, min(last, len(unit) - 1) + 1):
        likest[back:] = np.maximum(likest[back:], (unit[back:] * unit[:-back]).sum(axis=1))
    return _after_first(1 - likest[1:])


def running_centred(vectors_TD: np.ndarray) -> np.ndarray:
    """Vectors less the mean of those up to each, which starts as one of `PRIOR` zeros; float64 [T, D]."""
    vectors = vectors_TD.astype(np.float64)
    counts = np.arange(1, len(vectors) + 1)[:, None]
    return vectors - np.cumsum(vectors, axis=0) / (counts + PRIOR)


DETECTORS: Mapping[str, Callable[[Watched], np.ndarray]] = {
    "difference": difference,
    "histogram": histogram,
    "comb": comb,
    "recall": recall,
}
"""Signals by name; higher is worse."""


def _after_first(values: np.ndarray) -> np.ndarray:
    return np.concatenate([[np.nan], values])
