"""What is measured of the events of a level where the annotation has labels.

Predicted events have no names. They get the annotated ones by a one-to-one matching of clusters with labels,
per video, so that most frames agree. Every event is a cluster of its own, or events are clustered by their
representations first.

Frames in no annotated event, or in one without label, count nowhere in frame accuracy, IoU and F1; frames of
a background label count as those of any other, as in the papers. Edit and F1@k look at the whole video, and
leave background and what has no label out of both sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.evaluation.measures import UNDEFINED, Measure, Measures, of_ratio
from streamer.metrics import (
    OVERLAPS,
    LabelledSegment,
    Segment,
    edit_score,
    frame_labels,
    matched_labels,
    segmental_f1,
)

FRAME_S = 0.1
"""Seconds per frame on which labels are compared."""

CLUSTERED = "clustered_"
"""Prefix of the metrics of events that were clustered by their representations."""

UNLABELLED = ""


FRAME_METRICS = ("frame_accuracy", "frame_iou", "frame_f1")
SEGMENTAL_METRICS = ("edit", *(f"segmental_f1@{100 * overlap:.0f}" for overlap in OVERLAPS))


class AnnotatedFrames:
    """The labels of one level of annotation of one video, on frames of `FRAME_S`.

    Attributes:
        num_labels: how many labels there are, those of the background among them.

    Args:
        truth: annotated events in seconds.
        duration: length of the video in seconds.
        background: labels that mean that nothing is annotated.
    """

    def __init__(
        self, truth: Sequence[LabelledSegment], *, duration: float, background: frozenset[str]
    ) -> None:
        self._duration = duration
        labels_F = frame_labels(truth, duration=duration, frame_size=FRAME_S, fill=UNLABELLED)
        names, codes_F = np.unique(labels_F, return_inverse=True)
        # Numbers instead of names, which may be sentences: comparing frames takes a third of the time.
        self._labels_F = codes_F.astype(str)
        self._counted_F = labels_F != UNLABELLED
        unlabelled = {str(code) for code, name in enumerate(names.tolist()) if name == UNLABELLED}
        self._ignored = unlabelled | {
            str(code) for code, name in enumerate(names.tolist()) if name in background
        }
        self.num_labels = len(names) - len(unlabelled)
        self._has_actions = len(names) > len(self._ignored)

    def measure(self, clusters: Sequence[LabelledSegment], prefix: str = "") -> dict[str, Measure]:
        """Scores events that tile the video and are labelled by their cluster.

        Returns:
            frame_accuracy, frame_iou, frame_f1, edit and segmental_f1@{10,25,50}, all undefined where
            nothing is annotated, and all but the first three where only background is.
        """
        predicted_F = frame_labels(clusters, duration=self._duration, frame_size=FRAME_S, fill=UNLABELLED)
        agreement = matched_labels(predicted_F[self._counted_F], self._labels_F[self._counted_F])
        frames = (agreement.frame_accuracy, agreement.iou, agreement.f1)
        measures: dict[str, Measure] = dict(zip(FRAME_METRICS, map(of_ratio, frames), strict=True))
        if self._has_actions:
            sequences = _in_place(agreement.classes, predicted_F), self._labels_F
            shares = (segmental_f1(*sequences, overlap=k, background=self._ignored) for k in OVERLAPS)
            edit = Measure(edit_score(*sequences, background=self._ignored))
            measures |= zip(SEGMENTAL_METRICS, (edit, *map(of_ratio, shares)), strict=True)
        else:
            measures |= dict.fromkeys(SEGMENTAL_METRICS, UNDEFINED)
        return {prefix + name: measure for name, measure in measures.items()}


def _in_place(classes: Mapping[str, str], predicted_F: np.ndarray) -> np.ndarray:
    """Puts labels in the place of the clusters that they are matched with."""
    clusters, codes_F = np.unique(predicted_F, return_inverse=True)
    # Labels are numbers, so none is taken for the name of a cluster.
    names = [classes.get(cluster, f"cluster {cluster}") for cluster in clusters.tolist()]
    return np.array(names)[codes_F]


def undefined_clusters(prefix: str) -> dict[str, Measure]:
    """What `AnnotatedFrames.measure` gives where there is nothing to measure."""
    return {prefix + name: UNDEFINED for name in (*FRAME_METRICS, *SEGMENTAL_METRICS)}


def measure_events_as_clusters(levels: Sequence[Sequence[Segment]], frames: AnnotatedFrames) -> Measures:
    """Scores every level with every event as a cluster of its own."""
    measured: dict[tuple[int | None, str], Measure] = {}
    for index, level in enumerate(levels):
        clusters = [(start, end, str(event)) for event, (start, end) in enumerate(level)]
        measured |= {(index, name): measure for name, measure in frames.measure(clusters).items()}
    return measured
