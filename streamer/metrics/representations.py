"""What representations of events know of their labels: retrieval, and a probe by nearest neighbours.

Both look from every event at the events of all other videos, by cosine similarity. Events of the same video
are left out: neighbours in time look alike whatever they show. Similarities that differ by less than about
1e-6 are equal, so that representations that have collapsed to one vector tell nothing; what is equally
similar is taken together, so the order of the events does not matter.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from streamer.errors import StreamerError
from streamer.metrics.ratio import Ratio

_BLOCK = 1 << 23  # similarities that are held at a time
_STEPS = 1 << 20  # steps of a similarity of 1
_SAME_VIDEO = -2 * _STEPS  # below any cosine


@dataclass(frozen=True)
class Retrieval:
    """How well events find those of the same label in other videos; nan where no query is defined.

    Attributes:
        mean_average_precision: mean over queries of the average precision of their ranking.
        recall_at: per k the share of queries with an event of their label among the first k (hit rate).
        queries: number of events whose label occurs in another video.
        undefined: number of events whose label does not; they are left out as queries.
    """

    mean_average_precision: float
    recall_at: dict[int, float]
    queries: int
    undefined: int


def event_retrieval(
    vectors_ND: np.ndarray,
    labels_N: Sequence[str] | np.ndarray,
    videos_N: Sequence[str] | np.ndarray,
    *,
    ks: Sequence[int],
) -> Retrieval:
    """Ranks, for every event, the events of all other videos by similarity.

    Relevant is what has the query's label. The average precision is the mean over the relevant events of the
    precision at their rank. Of equally similar events, precision is taken at the last (as
    `sklearn.metrics.average_precision_score` does), and for recall at k the relevant ones come last.

    Args:
        vectors_ND: representation of each of N events, finite, shape [N, D]. A vector of zeros has similarity
            0 to everything.
        labels_N: label of each event, shape [N].
        videos_N: video of each event, shape [N].
        ks: ranks at which recall is asked for, positive.

    Returns:
        Mean average precision and recall at each k.

    Raises:
        StreamerError: a representation is not finite, or a k is not positive.
    """
    _check_ranks(ks)
    events = _encode(vectors_ND, labels_N, videos_N)
    of_label = [np.flatnonzero(events.labels == label) for label in range(events.num_labels)]
    precisions: list[float] = []
    first_ranks: list[int] = []
    for rows, similarity_QN in _similarities(events):
        ascending_QN = np.sort(similarity_QN, axis=1)
        for row, similarity_N, ascending_N in zip(rows.tolist(), similarity_QN, ascending_QN, strict=True):
            relevant = of_label[events.labels[row]]
            relevant = relevant[events.videos[relevant] != events.videos[row]]
            if len(relevant):
                found_R = np.sort(similarity_N[relevant])
                found_so_far_R = len(found_R) - np.searchsorted(found_R, found_R)
                ranks_R = len(ascending_N) - np.searchsorted(ascending_N, found_R)
                precisions.append(float(np.mean(found_so_far_R / ranks_R)))
                first_ranks.append(int(ranks_R[-1] - found_so_far_R[-1]) + 1)
    return Retrieval(
        mean_average_precision=math.fsum(precisions) / len(precisions) if precisions else math.nan,
        recall_at={k: float(np.mean(np.array(first_ranks) <= k)) if first_ranks else math.nan for k in ks},
        queries=len(precisions),
        undefined=len(events.labels) - len(precisions),
    )


def knn_probe(
    vectors_ND: np.ndarray,
    labels_N: Sequence[str] | np.ndarray,
    videos_N: Sequence[str] | np.ndarray,
    *,
    k: int,
) -> Ratio:
    """Names every event by its k nearest in all other videos (leave one video out).

    The neighbours vote with equal weight; events as near as the k-th vote too, and all vote where there are
    fewer than k. Of labels with equally many votes the one with the nearest voter wins, then the first in
    sorted order. An event whose label no other video has is named wrongly by necessity and counts.

    Args:
        vectors_ND: as in `event_retrieval`.
        labels_N: label of each event, shape [N].
        videos_N: video of each event, shape [N].
        k: number of neighbours, positive.

    Returns:
        Events named rightly over events. Undefined where there is but one video.

    Raises:
        StreamerError: a representation is not finite, or k is not positive.
    """
    _check_ranks([k])
    events = _encode(vectors_ND, labels_N, videos_N)
    if len(np.unique(events.videos)) < 2:
        return Ratio(0, 0)
    right = 0
    for rows, similarity_QN in _similarities(events):
        kth = max(similarity_QN.shape[1] - k, 0)
        limits_Q = np.maximum(np.partition(similarity_QN, kth, axis=1)[:, kth], -_STEPS)
        for row, similarity_N, limit in zip(rows.tolist(), similarity_QN, limits_Q, strict=True):
            voters = np.flatnonzero(similarity_N >= limit)
            names, inverse, votes = np.unique(events.labels[voters], return_inverse=True, return_counts=True)
            nearest = np.full(len(names), _SAME_VIDEO, dtype=np.int32)
            np.maximum.at(nearest, inverse, similarity_N[voters])
            right += int(names[np.lexsort((-nearest, -votes))[0]] == events.labels[row])
    return Ratio(float(right), float(len(events.labels)))


@dataclass(frozen=True)
class _Events:
    """Events in the order of their videos: unit vectors float64 [N, D]; codes of label and video, int [N]."""

    vectors: np.ndarray
    labels: np.ndarray
    videos: np.ndarray
    num_labels: int


def _check_ranks(ks: Sequence[int]) -> None:
    for k in ks:
        if k < 1:
            raise StreamerError(f"k is {k}: it must be at least 1")


def _encode(
    vectors_ND: np.ndarray, labels_N: Sequence[str] | np.ndarray, videos_N: Sequence[str] | np.ndarray
) -> _Events:
    assert len(vectors_ND) == len(labels_N) == len(videos_N), "one label and one video per vector"
    vectors = np.asarray(vectors_ND, dtype=np.float32)
    unknown = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(unknown):
        raise StreamerError(
            f"representation {unknown[0]} of {len(vectors)} is not finite; leave out such events"
        )
    names, labels = np.unique(np.asarray(labels_N), return_inverse=True)
    videos = np.unique(np.asarray(videos_N), return_inverse=True)[1].reshape(-1)
    order = np.argsort(videos, kind="stable")
    # In double precision equal similarities fall into the same step, wherever the products are computed.
    vectors = vectors[order].astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(norms > 0, norms, 1)
    return _Events(vectors, labels.reshape(-1)[order], videos[order], len(names))


def _similarities(events: _Events) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields rows [Q] of one video and their similarities in steps [Q, N]; `_SAME_VIDEO` to their own."""
    count = len(events.labels)
    edges = np.flatnonzero(np.diff(events.videos, prepend=-1, append=-1)).tolist()
    size = max(1, _BLOCK // max(count, 1))
    for start, end in pairwise(edges):
        for first in range(start, end, size):
            rows = np.arange(first, min(first + size, end))
            products_QN = events.vectors[rows] @ events.vectors.T
            products_QN *= _STEPS
            similarity_QN = np.rint(products_QN, out=products_QN).astype(np.int32)
            similarity_QN[:, start:end] = _SAME_VIDEO
            yield rows, similarity_QN
