"""T-measure and L-measure: agreement of two hierarchies as wholes, whatever their numbers of levels.

Time is divided into frames. Two frames are joined at the depth of the deepest level on which they lie in the
same segment (T-measure) or in segments of the same label (L-measure). For a query frame q, a pair of
frames (i, j) is ordered by a hierarchy that joins q with i deeper than with j: i shares q's event, say, and j
only its parent. Recall is the share of the pairs ordered by the annotation that the prediction orders in
the same way; precision is the same with the two exchanged. Each is the mean over the query frames that have
an ordered pair.

Sources: McFee, Nieto, Bello, "Hierarchical evaluation of segment boundary detection", ISMIR 2015 (T); McFee,
Nieto, Farbood, Bello, "Evaluating hierarchical structure in music annotations", Frontiers in Psychology
8:1337, 2017 (L). The results are those of `mir_eval.hierarchy`, but for undefined cases, and in a small
part of its time: frames are not compared one by one but counted. What joins q at depth a or deeper is an
interval (T) or a union of classes (L), so the numbers of frames joined at least at depths (a, b) by two
hierarchies follow in closed form, and those numbers give all pairs.

Where the annotation orders no pair (no event, or one that fills the video), all three are nan. Where only
the prediction orders none, all three are 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from streamer.errors import StreamerError
from streamer.metrics.segments import Segments, check_positive, check_truth, tile

_CHUNK = 1 << 14  # query frames that are counted at a time


@dataclass(frozen=True)
class TreeAgreement:
    """Agreement of a predicted with an annotated hierarchy; each 0 to 1, or nan where undefined.

    Attributes:
        precision: share of the pairs ordered by the prediction that the annotation orders in the same way.
        recall: share of the pairs ordered by the annotation that the prediction orders in the same way.
        f1: harmonic mean of the two.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class _FrameLevel:
    """Segments of one level in frames: edges [n + 1] ascending, the class (label) of each segment [n]."""

    edges: np.ndarray
    classes: np.ndarray


def t_measure(
    levels: Sequence[Segments],
    truth_levels: Sequence[Segments],
    *,
    duration: float,
    window: float | None = 15.0,
    frame_size: float = 0.5,
    transitive: bool,
) -> TreeAgreement:
    """Scores a hierarchy against an annotated one by the segments alone.

    Every level is made a tiling first (see `tile`); an annotated gap is a segment like any other. Levels
    need not nest.

    Args:
        levels: predicted events in seconds, finest level first.
        truth_levels: annotated events in seconds, levels in any order: the more events, the finer (of equally
            many the earlier given). Levels without events are left out.
        duration: length of the video in seconds.
        window: seconds around a query frame in which pairs are looked for; None for the whole video.
        frame_size: seconds per frame. A time belongs to the frame that it lies in.
        transitive: whether pairs may differ by any number of levels in the hierarchy that is taken as the
            reference (full T-measure) or by exactly one (reduced).

    Returns:
        Precision, recall and F1.

    Raises:
        TruthError: an annotation has impossible times.
        StreamerError: duration, window or frame_size is not a positive number, or the window is shorter
            than a frame.
    """
    check_positive("the T-measure", duration=duration, frame_size=frame_size)
    if window is not None and not window >= frame_size:
        raise StreamerError(f"window is {window}: it must not be shorter than the frame_size {frame_size}")
    truth = _truth_frames(truth_levels, duration, frame_size)
    predicted = _frame_levels(levels[::-1], duration, frame_size)
    count = _frames(duration, frame_size)
    reach = count if window is None else int(_frames(window, frame_size))
    tally = _Tally(transitive)
    for first in range(0, int(count), _CHUNK):
        query = np.arange(first, min(first + _CHUNK, int(count)))
        around = np.maximum(query - reach, 0), np.minimum(query + reach, count)
        truth_spans, spans = (_joined_spans(tree, query, *around) for tree in (truth, predicted))
        tally.add(_shared_frames(truth_spans, spans), np.ones(len(query)))
    return tally.agreement()


def l_measure(
    levels: Sequence[Segments],
    truth_levels: Sequence[Segments],
    *,
    duration: float,
    frame_size: float = 0.5,
) -> TreeAgreement:
    """Scores a hierarchy against an annotated one by the labels of the segments, over the whole video.

    Labels count within their level. An event without label (predicted events have none) and a gap are like
    nothing else, as if each had a label of its own. The cost doubles with every level that neither
    contains nor is contained in another of its hierarchy.

    Args:
        levels: predicted events in seconds, finest level first, with or without labels.
        truth_levels: annotated events as in `t_measure`, with labels.
        duration: length of the video in seconds.
        frame_size: seconds per frame.

    Returns:
        Precision, recall and F1.

    Raises:
        TruthError: an annotation has impossible times.
        StreamerError: duration or frame_size is not a positive number.
    """
    check_positive("the L-measure", duration=duration, frame_size=frame_size)
    truth = _truth_frames(truth_levels, duration, frame_size)
    predicted = _frame_levels(levels[::-1], duration, frame_size)
    # Between two edges of any level all frames are alike.
    edges = np.unique(np.concatenate([level.edges for level in truth + predicted] or [np.zeros(1, int)]))
    weights = np.diff(edges)
    tally = _Tally(transitive=True)
    if len(weights):
        classes = [_classes_at(level, edges[:-1]) for level in truth + predicted]
        tally.add(_shared_classes(classes, len(truth), weights), weights)
    return tally.agreement()


class _Tally:
    """Sums, over query frames, of the shares of ordered pairs that are kept; and how many frames have any."""

    def __init__(self, transitive: bool) -> None:
        self._transitive = transitive
        self._kept = np.zeros(2)
        self._queries = np.zeros(2)

    def add(self, shared_ABQ: np.ndarray, weights_Q: np.ndarray) -> None:
        """Adds queries; shared[a, b]: frames that the annotation joins at depth >= a, the prediction >= b."""
        for side, shared in enumerate((shared_ABQ.swapaxes(0, 1), shared_ABQ)):
            kept_Q, ordered_Q = _ordered_pairs(shared, self._transitive)
            some_Q = ordered_Q > 0
            self._kept[side] += np.sum(weights_Q[some_Q] * kept_Q[some_Q] / ordered_Q[some_Q])
            self._queries[side] += np.sum(weights_Q[some_Q])

    def agreement(self) -> TreeAgreement:
        if not self._queries[1]:
            return TreeAgreement(math.nan, math.nan, math.nan)
        precision, recall = (self._kept / np.maximum(self._queries, 1)).tolist()
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return TreeAgreement(precision, recall, f1)


def _ordered_pairs(shared_ABQ: np.ndarray, transitive: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that the first tree orders: how many the second orders likewise, and how many there are."""
    deep = np.pad(shared_ABQ, ((0, 2), (0, 1), (0, 0)))
    exactly_a = deep[:-1] - deep[1:]
    exactly = (exactly_a[:, :-1] - exactly_a[:, 1:])[:-1]
    # Partners of a frame at depths (a, b): deeper than b in the second tree, in the first deeper than a
    # by any number of levels or by one.
    partners = deep[1:-1] if transitive else exactly_a[1:]
    kept_Q = np.einsum("abq,abq->q", exactly, partners[:, 1:])
    ordered_Q = np.einsum("aq,aq->q", exactly_a[:-1, 0], partners[:, 0])
    return kept_Q, ordered_Q


def _truth_frames(truth_levels: Sequence[Segments], duration: float, frame_size: float) -> list[_FrameLevel]:
    for level in truth_levels:
        check_truth(level)
    finest_first = sorted((level for level in truth_levels if len(level)), key=len, reverse=True)
    return _frame_levels(finest_first[::-1], duration, frame_size)


def _frame_levels(levels: Sequence[Segments], duration: float, frame_size: float) -> list[_FrameLevel]:
    """Tilings of levels in frames; segments shorter than a frame may vanish."""
    framed: list[_FrameLevel] = []
    for level in levels:
        tiling = tile(level, duration)
        edges = _frames(tiling.edges, frame_size)
        known: dict[object, int] = {}
        # A gap's key is its place among the pieces, an unlabelled event's its own number: unlike any label.
        keys = (
            ("gap", place) if owner < 0 else level[owner][2] if len(level[owner]) > 2 else ("event", owner)
            for place, owner in enumerate(tiling.owners.tolist())
        )
        classes = np.array([known.setdefault(key, len(known)) for key in keys])
        some = edges[1:] > edges[:-1]
        framed.append(_FrameLevel(np.append(edges[:-1][some], edges[-1]), classes[some]))
    return framed


def _frames(times: np.ndarray | float, frame_size: float) -> np.ndarray:
    """Numbers of the frames that times lie in, rounded off as mir_eval does."""
    return ((times - np.mod(times, frame_size)) / frame_size).astype(np.int64)


def _joined_spans(
    tree: list[_FrameLevel], query: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends [depths, Q] of the frames joined with each query at each depth or deeper.

    Depth 0 is all of low:high. Segments that contain the same frame have an interval as their union.
    """
    starts, ends = [low], [high]
    for level in tree:
        segment = np.searchsorted(level.edges, query, side="right") - 1
        starts.append(np.maximum(level.edges[segment], low))
        ends.append(np.minimum(level.edges[segment + 1], high))
    deepest_first = np.array(starts)[::-1], np.array(ends)[::-1]
    return (
        np.minimum.accumulate(deepest_first[0])[::-1],
        np.maximum.accumulate(deepest_first[1])[::-1],
    )


def _shared_frames(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Number of frames, without the query itself, in both of two spans: [depths, depths of the other, Q]."""
    ends = np.minimum(one[1][:, None], other[1][None])
    return ends - np.maximum(one[0][:, None], other[0][None]) - 1


def _classes_at(level: _FrameLevel, frames: np.ndarray) -> np.ndarray:
    return level.classes[np.searchsorted(level.edges, frames, side="right") - 1]


_Union = dict[frozenset[int], int]
"""A union of classes as a sum: each set of levels stands for the frames like the query on all of them."""


def _shared_classes(classes: list[np.ndarray], split: int, weights: np.ndarray) -> np.ndarray:
    """Number of frames, without the query itself, joined at both depths or deeper: [depths, depths, K].

    Args:
        classes: per level the class of each of K blocks of frames: those of one tree, coarse to fine, and
            behind them those of the other.
        split: number of levels of the first tree.
        weights: frames per block [K].

    Returns:
        One row per depth of either tree; depth 0 is the whole video.
    """
    trees = list(range(split)), list(range(split, len(classes)))
    one, other = (_unions(tree, classes) for tree in trees)
    codes = {terms: _joint(classes, terms) for terms in {*chain(*one), *chain(*other)}}
    counts: dict[tuple[frozenset[int], frozenset[int]], np.ndarray] = {}
    shared = np.full((len(one), len(other), len(weights)), -1, dtype=np.int64)
    for a, b in np.ndindex(len(one), len(other)):
        for left, left_sign in one[a].items():
            for right, right_sign in other[b].items():
                if (left, right) not in counts:
                    both = _compress(codes[left] * (codes[right].max() + 1) + codes[right])
                    counts[left, right] = np.bincount(both, weights)[both].astype(np.int64)
                shared[a, b] += left_sign * right_sign * counts[left, right]
    return shared


def _unions(tree: list[int], classes: list[np.ndarray]) -> list[_Union]:
    """What is joined at each depth or deeper, by inclusion and exclusion of the levels from there on.

    Where a level's classes lie within those of another, being alike on the first implies being alike on the
    second, which leaves a single term per depth in hierarchies that nest.
    """
    within = {(a, b): _refines(classes[a], classes[b]) for a in tree for b in tree}
    union: _Union = {}
    unions: list[_Union] = []
    for level in reversed(tree):
        larger = dict(union)
        larger[frozenset([level])] = larger.get(frozenset([level]), 0) + 1
        for terms, sign in union.items():
            if not any(within[term, level] for term in terms):
                kept = frozenset(term for term in terms if not within[level, term])
                both = kept | {level}
            else:
                both = terms
            larger[both] = larger.get(both, 0) - sign
        union = {terms: sign for terms, sign in larger.items() if sign}
        unions.append(union)
    everything: _Union = {frozenset(): 1}
    return [everything, *reversed(unions)]


def _refines(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Whether blocks that are alike in `fine` are always alike in `coarse`."""
    return int(_compress(fine * (coarse.max() + 1) + coarse).max()) == int(_compress(fine).max())


def _joint(classes: list[np.ndarray], terms: frozenset[int]) -> np.ndarray:
    """Classes [K] of blocks that are alike on all levels of `terms`."""
    joint = np.zeros_like(classes[0])
    for level in sorted(terms):
        joint = _compress(joint * (classes[level].max() + 1) + classes[level])
    return joint


def _compress(codes: np.ndarray) -> np.ndarray:
    """Codes [K] renumbered from 0 without holes."""
    return np.unique(codes, return_inverse=True)[1].reshape(-1)
