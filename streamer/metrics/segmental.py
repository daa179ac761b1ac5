"""Segmental scores of labelled frames: Edit and F1@k of temporal action segmentation.

Both look at runs of equal labels, so that a flickering prediction is charged where frame accuracy hardly is.
Source: Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection", CVPR 2017. Shares
here run from 0 to 1; papers print them times 100. Over a data set papers average the Edit score over
videos and pool F1@k: the sum of the numerators over the sum of the denominators.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from streamer.errors import StreamerError
from streamer.metrics.ratio import Ratio

OVERLAPS = (0.1, 0.25, 0.5)
"""Intersections over union at which F1@k is usually given: k = 10, 25, 50."""


@dataclass(frozen=True)
class _Runs:
    """Runs of equal labels but for background: code of the label, start and end in frames, each [n]."""

    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def edit_score(predicted_F: np.ndarray, truth_F: np.ndarray, *, background: Collection[str]) -> float:
    """Likeness of the two sequences of runs, whatever their lengths in time.

    Args:
        predicted_F: predicted label of every frame, strings, shape [F].
        truth_F: annotated label of every frame, strings, shape [F].
        background: labels whose runs are left out of both sequences.

    Returns:
        1 - (Levenshtein distance of the sequences of labels) / (length of the longer one), 0 to 1. nan where
        neither has a run; 0 where only one of them has.
    """
    predicted, truth = _runs(predicted_F, truth_F, background)
    longest = max(len(predicted.codes), len(truth.codes))
    if not longest:
        return math.nan
    return 1.0 - _levenshtein(predicted.codes, truth.codes) / longest


def segmental_f1(
    predicted_F: np.ndarray, truth_F: np.ndarray, *, overlap: float, background: Collection[str]
) -> Ratio:
    """F1 of predicted runs that overlap an annotated run of the same label well enough.

    In time order every predicted run looks at the annotated run of its label with the largest intersection
    over union (the earlier of two equal ones). It is a hit if that is at least `overlap` and no run before
    it has hit the same; else it is a false alarm, even if another annotated run would have done.

    Args:
        predicted_F: predicted label of every frame, strings, shape [F].
        truth_F: annotated label of every frame, strings, shape [F].
        overlap: least intersection over union of a hit, above 0 and at most 1.
        background: labels whose runs are left out.

    Returns:
        Twice the hits over the number of runs in both. Undefined where neither has a run.

    Raises:
        StreamerError: the overlap is out of range.
    """
    if not 0 < overlap <= 1:
        raise StreamerError(f"overlap is {overlap}: it must be above 0 and at most 1")
    predicted, truth = _runs(predicted_F, truth_F, background)
    hits = len(np.unique(_best_truth(predicted, truth, overlap)))
    return Ratio(2.0 * hits, float(len(predicted.codes) + len(truth.codes)))


def _runs(predicted_F: np.ndarray, truth_F: np.ndarray, background: Collection[str]) -> tuple[_Runs, _Runs]:
    assert len(predicted_F) == len(truth_F), "one label per frame on either side"
    names, codes = np.unique(np.concatenate([predicted_F, truth_F]), return_inverse=True)
    ignored = np.flatnonzero(np.isin(names, list(background)))
    codes = codes.reshape(2, -1)
    return _runs_of(codes[0], ignored), _runs_of(codes[1], ignored)


def _runs_of(codes_F: np.ndarray, ignored: np.ndarray) -> _Runs:
    edges = np.flatnonzero(np.diff(codes_F, prepend=-1, append=-1))
    starts, ends = edges[:-1], edges[1:]
    kept = ~np.isin(codes_F[starts], ignored)
    return _Runs(codes_F[starts[kept]], starts[kept], ends[kept])


def _best_truth(predicted: _Runs, truth: _Runs, overlap: float) -> np.ndarray:
    """Annotated run that each predicted run looks at, of those that reach the overlap."""
    first = np.searchsorted(truth.ends, predicted.starts, side="right")
    last = np.searchsorted(truth.starts, predicted.ends, side="left")
    looked_at: list[int] = []
    for run, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        if low < high:
            start, end = predicted.starts[run], predicted.ends[run]
            starts, ends = truth.starts[low:high], truth.ends[low:high]
            shared = np.minimum(ends, end) - np.maximum(starts, start)
            iou = shared / (np.maximum(ends, end) - np.minimum(starts, start))
            iou *= truth.codes[low:high] == predicted.codes[run]
            best = int(np.argmax(iou))
            if iou[best] >= overlap:
                looked_at.append(low + best)
    return np.array(looked_at, dtype=np.int64)


def _levenshtein(one: np.ndarray, other: np.ndarray) -> int:
    """Fewest insertions, deletions and substitutions that turn one sequence into the other."""
    if len(one) > len(other):
        one, other = other, one
    place = np.arange(len(other) + 1)
    costs = place
    for count, item in enumerate(one.tolist(), 1):
        row = np.append(count, np.minimum(costs[1:] + 1, costs[:-1] + (other != item)))
        # Insertions run along the row: each place costs at most 1 more than the one before.
        costs = np.minimum.accumulate(row - place) + place
    return int(costs[-1])
