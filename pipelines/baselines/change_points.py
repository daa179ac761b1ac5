"""Kernel change points: cuts between which features stay near their mean, at a price for each cut.

The cost of an event is the sum of squared distances from its snippets' features to their mean, that is, the
kernel change point cost with the linear kernel. For a penalty, a level minimises the sum of its events' costs
and penalties, exactly. Source: Killick, Fearnhead, Eckley, "Optimal Detection of Changepoints With a Linear
Computational Cost" (JASA 2012), whose pruning is used; Arlot, Celisse, Harchaoui, "A Kernel Multiple
Change-point Algorithm via Model Selection" (JMLR 2019) for kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from pipelines.baselines.config import BaselineConfig
from pipelines.baselines.prediction import Prediction, WatchedVideo, at_snippets

COMPONENTS = 64
"""Principal components of a video's features that are looked at. Time grows with their number."""

PENALTY_STEP = 4.0
LEAST_SHARE = 1e-9  # of the first penalty, below which no smaller one is tried
PENALTY_RATIO = 1.01  # of two penalties between which none is tried any more

Partition = Callable[[float], Sequence[int]]
"""Snippets with which events begin, other than the first, for a penalty."""


def predict_change_points(video: WatchedVideo, config: BaselineConfig) -> Prediction:
    """Each level is optimal among the boundaries of the level below, for the least penalty that suffices.

    That is the least one, to a hundredth, at which the level has no more events than the wanted mean length
    asks for. On the lowest level every snippet may begin an event.

    Args:
        video: with features.
        config: the wanted lengths.
    """
    assert config.lengths is not None
    points = principal_components(video.centred)
    starts: list[Sequence[int]] = []
    for length in config.lengths:
        partition = every_snippet(points) if not starts else among(points, starts[-1])
        starts.append(fewest_events(points, partition, video.events_of(length)))
    return Prediction(at_snippets(video, starts))


def principal_components(features_TD: np.ndarray) -> np.ndarray:
    """The first `COMPONENTS` principal components of features, float64 [T, at most COMPONENTS]."""
    count = min(COMPONENTS, *features_TD.shape)
    if count == features_TD.shape[1] or len(features_TD) == 1:  # nothing to choose
        return features_TD.astype(np.float64)
    from sklearn.decomposition import PCA  # seconds: only the workers that need it pay

    return PCA(count, random_state=0).fit_transform(features_TD).astype(np.float64)


def every_snippet(points_TC: np.ndarray) -> Partition:
    """The optimal partitions of a video where every snippet may begin an event."""
    from ruptures import KernelCPD

    if len(points_TC) == 1:
        return lambda penalty: []
    search = KernelCPD(kernel="linear", min_size=1).fit(points_TC)

    def partition(penalty: float) -> Sequence[int]:
        ends = search.predict(pen=penalty)
        assert ends is not None
        return ends[:-1]  # the last is the end of the video

    return partition


def among(points_TC: np.ndarray, allowed: Sequence[int]) -> Partition:
    """The optimal partitions of a video where only some snippets may begin an event.

    Args:
        points_TC: of all snippets.
        allowed: snippets that may, ascending, without the first one of all.
    """
    edges = np.array([0, *allowed, len(points_TC)])
    sums = np.concatenate([np.zeros((1, points_TC.shape[1])), np.cumsum(points_TC, axis=0)])[edges]
    squares = np.concatenate([[0.0], np.cumsum((points_TC**2).sum(axis=1))])[edges]
    return lambda penalty: [int(edges[place]) for place in _optimal(edges, sums, squares, penalty)]


def _optimal(edges: np.ndarray, sums: np.ndarray, squares: np.ndarray, penalty: float) -> list[int]:
    """The places in `edges` of the optimal boundaries.

    Args:
        edges: snippets at which events may begin or end, int64 [N + 1].
        sums: of the points up to each edge, [N + 1, C].
        squares: of their squared lengths, [N + 1].
        penalty: of an event.
    """
    count = len(edges) - 1
    least = np.full(count + 1, -penalty)  # cost up to each edge; the first event needs no boundary
    before = np.zeros(count + 1, np.int64)
    candidates = np.zeros(1, np.int64)  # for the last boundary before an edge
    for edge in range(1, count + 1):
        inside = sums[edge] - sums[candidates]
        spread = np.einsum("nc,nc->n", inside, inside) / (edges[edge] - edges[candidates])
        totals = least[candidates] + squares[edge] - squares[candidates] - spread
        best = int(np.argmin(totals))
        least[edge] = totals[best] + penalty
        before[edge] = candidates[best]
        # Whatever follows, a boundary here is then no worse than the candidate.
        candidates = np.append(candidates[totals < least[edge]], edge)
    places = []
    place = int(before[count])
    while place > 0:
        places.append(place)
        place = int(before[place])
    return places[::-1]


def fewest_events(points_TC: np.ndarray, partition: Partition, events: int) -> Sequence[int]:
    """The partition for the least penalty, to `PENALTY_RATIO`, that gives no more events than asked for.

    The number of events falls as the penalty grows. The search begins at the variance of a snippet and goes
    up only while there are too many events, since large penalties take the longest.
    """
    variance = float(((points_TC - points_TC.mean(axis=0)) ** 2).sum()) / len(points_TC)
    if events == 1 or variance == 0:
        return []
    penalty, low, high = variance, 0.0, math.inf
    found: Sequence[int] = []
    while high / PENALTY_RATIO > low and penalty > variance * LEAST_SHARE:
        starts = partition(penalty)
        if len(starts) + 1 > events:
            low = penalty
        else:
            found, high = starts, penalty
            if len(starts) + 1 == events:
                break
        if math.isinf(high):
            penalty *= PENALTY_STEP
        elif low == 0:
            penalty /= PENALTY_STEP
        else:
            penalty = math.sqrt(low * high)
    return found
