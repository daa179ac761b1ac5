"""What the representations of events are worth: do events of one kind look alike, in other videos too?

An event has the label whose annotated events overlap it longest, if they cover at least half of it; else it
has none and takes no part. Background is no label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.labels import CLUSTERED, UNLABELLED, AnnotatedFrames, undefined_clusters
from pipelines.evaluation.measures import Measure, Measures
from streamer.metrics import LabelledSegment, Segment

LEAST_SHARE = 0.5
"""Of an event that its label must cover."""

STARTS = 3
"""Random starts of the clustering, of which the best counts."""


@dataclass(frozen=True, eq=False)
class LabelledEvents:
    """The events of one level of one video that have a representation and a label.

    Attributes:
        video_id: the video.
        truth_level: level of annotation that the labels are of.
        level: level of the predictor.
        vectors: representations [n, D].
        labels: labels [n].
    """

    video_id: str
    truth_level: str
    level: int
    vectors: np.ndarray
    labels: list[str]


def event_labels(
    level: Sequence[Segment], truth: Sequence[LabelledSegment], background: Collection[str]
) -> list[str | None]:
    """Gives predicted events the labels of the annotation.

    Args:
        level: events in seconds.
        truth: annotated events in seconds, with gaps, overlaps, in any order.
        background: labels that mean that nothing is annotated.

    Returns:
        Per event the label that covers most of it (of equal ones the first annotated), or None where none
        covers half of it.
    """
    edges = np.array(level, dtype=np.float64).reshape(-1, 2)
    spans: dict[str, list[Segment]] = defaultdict(list)
    for start, end, label in truth:
        if label != UNLABELLED and label not in background:
            spans[label].append((start, end))
    if not spans or not len(edges):
        return [None] * len(edges)
    names = list(spans)
    covered = np.array([_covered(edges, spans[name]) for name in names])
    best = covered.argmax(axis=0)
    # The slack keeps round-off from taking its label from an event that is covered by exactly half.
    enough = covered.max(axis=0) >= LEAST_SHARE * (edges[:, 1] - edges[:, 0]) - 1e-9
    return [names[index] if some else None for index, some in zip(best.tolist(), enough, strict=True)]


def _covered(edges: np.ndarray, spans: Sequence[Segment]) -> np.ndarray:
    """Seconds of each interval [n, 2] that lie in a union of spans."""
    starts, ends = np.array(sorted(spans)).T
    # Where spans overlap, what an earlier one covers is not covered again.
    before = np.concatenate([[-np.inf], np.maximum.accumulate(ends)[:-1]])
    starts = np.maximum(starts, before)
    ends = np.maximum(ends, starts)
    times = np.column_stack([starts, ends]).ravel()
    total = np.column_stack([np.zeros(len(starts)), ends - starts]).ravel().cumsum()
    low, high = np.interp(edges, times, total).T
    return high - low


def cluster_events(vectors_ND: np.ndarray, lengths_N: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Clusters events by the directions of their representations (k-means), long events counting more.

    Args:
        vectors_ND: representations; a row of NaN where an event has none.
        lengths_N: lengths of the events in seconds.
        count: number of clusters.
        seed: determines the random starts.

    Returns:
        Number of each event's cluster, int [N]; an event without representation has one of its own.
    """
    from sklearn.cluster import KMeans  # takes a second, which runs without representations save

    clusters = count + np.arange(len(vectors_ND))
    known = ~np.isnan(vectors_ND).any(axis=1)
    directions = _directions(vectors_ND[known])
    distinct = len(np.unique(directions, axis=0))
    if distinct:
        # pyright takes n_init for text alone; scikit-learn documents numbers too.
        means = KMeans(
            min(count, distinct),
            n_init=STARTS,  # pyright: ignore[reportArgumentType]
            random_state=seed,
        )
        clusters[known] = means.fit_predict(directions, sample_weight=lengths_N[known])
    return clusters


def _directions(vectors_ND: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return vectors_ND / np.where(norms == 0, 1.0, norms)


def measure_clusters(
    levels: Sequence[Sequence[Segment]],
    representations: Sequence[np.ndarray],
    frames: AnnotatedFrames,
    seed: int,
) -> Measures:
    """Scores every level with events clustered into as many clusters as the video has labels.

    Args:
        levels: events in seconds, finest level first.
        representations: per level vectors [n, D], a row of NaN where an event has none.
        frames: the annotation.
        seed: determines the clustering.

    Returns:
        What `AnnotatedFrames.measure` gives, under names that begin with "clustered_"; undefined for a level
        on which no event has a representation.
    """
    measured: dict[tuple[int | None, str], Measure] = {}
    for index, (level, vectors) in enumerate(zip(levels, representations, strict=True)):
        if frames.num_labels and not np.isnan(vectors).any(axis=1).all():
            edges = np.array(level)
            clusters = cluster_events(vectors, edges[:, 1] - edges[:, 0], frames.num_labels, seed)
            events = [(*event, str(name)) for event, name in zip(level, clusters.tolist(), strict=True)]
            scores = frames.measure(events, CLUSTERED)
        else:
            scores = undefined_clusters(CLUSTERED)
        measured |= {(index, name): measure for name, measure in scores.items()}
    return measured


def labelled_events(
    video_id: str,
    truth_level: str,
    levels: Sequence[Sequence[Segment]],
    representations: Sequence[np.ndarray],
    truth: Sequence[LabelledSegment],
    background: Collection[str],
) -> list[LabelledEvents]:
    """The events of one video that retrieval and probe can use, of every level."""
    found: list[LabelledEvents] = []
    for index, (level, vectors) in enumerate(zip(levels, representations, strict=True)):
        labels = event_labels(level, truth, background)
        rows = [
            row for row, label in enumerate(labels) if label is not None and not np.isnan(vectors[row]).any()
        ]
        chosen = [label for label in (labels[row] for row in rows) if label is not None]
        found.append(LabelledEvents(video_id, truth_level, index, vectors[rows], chosen))
    return found
