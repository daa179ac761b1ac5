"""What is measured of the events of a level where the annotation has labels.

Predicted events have no names. They get the annotated ones by a one-to-one matching of clusters with labels,
per video, so that most frames agree. Every event is a cluster of its own, or events are clustered by their
representations first.

Frames in no annotated event, or in one without label, count nowhere in frame accuracy, IoU and F1; frames of
a background label count as those of any other, as in the papers. Edit and F1@k look at the whole video, and
leave background and what has no label out of both sequences.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from streamer.metrics.matching import maximum_weight_matching

FRAME_S = 0.1
"""Seconds per frame on which labels are compared."""

CLUSTERED = "clustered_"
"""Prefix of the metrics of events that were clustered by their representations."""

UNLABELLED = ""


class AnnotatedFrames:
    """The labels of one level of annotation of one video, on frames of `FRAME_S`.

    Args:
        truth: annotated events in seconds.
        duration: length of the video in seconds.
        background: labels that mean that nothing is annotated.
    """

    def __init__(
        self, truth: Sequence[LabelledSegment], *, duration: float, background: frozenset[str]
    ) -> None:
        self._duration = duration
        self._ignored = background | {UNLABELLED}
        self._labels_F = frame_labels(truth, duration=duration, frame_size=FRAME_S, fill=UNLABELLED)
        self._counted_F = self._labels_F != UNLABELLED
        self._labels = np.unique(self._labels_F[self._counted_F])

    @property
    def num_labels(self) -> int:
        """How many labels there are, that of the background among them."""
        return len(self._labels)

    @property
    def has_actions(self) -> bool:
        """Whether there is a label other than those of the background."""
        return not self._ignored.issuperset(self._labels.tolist())

    def measure(self, clusters: Sequence[LabelledSegment], prefix: str = "") -> dict[str, Measure]:
        """Scores events that tile the video and are labelled by their cluster.

        Returns:
            frame_accuracy, frame_iou, frame_f1, edit and segmental_f1@{10,25,50}, all undefined where
            nothing is annotated, and the last two where only background is.
        """
        predicted_F = frame_labels(clusters, duration=self._duration, frame_size=FRAME_S, fill=UNLABELLED)
        agreement = matched_labels(predicted_F[self._counted_F], self._labels_F[self._counted_F])
        named_F = self._named(predicted_F)
        measures = {
            "frame_accuracy": of_ratio(agreement.frame_accuracy),
            "frame_iou": of_ratio(agreement.iou),
            "frame_f1": of_ratio(agreement.f1),
            "edit": Measure(edit_score(named_F, self._labels_F, background=self._ignored)),
            **{
                f"segmental_f1@{overlap * 100:.0f}": of_ratio(
                    segmental_f1(named_F, self._labels_F, overlap=overlap, background=self._ignored)
                )
                for overlap in OVERLAPS
            },
        }
        if not self.has_actions:
            measures |= {name: UNDEFINED for name in measures if not name.startswith("frame_")}
        return {prefix + name: measure for name, measure in measures.items()}

    def undefined(self, prefix: str = "") -> dict[str, Measure]:
        """The metrics of `measure` where there is nothing to measure."""
        names = ("frame_accuracy", "frame_iou", "frame_f1", "edit")
        segmental = (f"segmental_f1@{overlap * 100:.0f}" for overlap in OVERLAPS)
        return {prefix + name: UNDEFINED for name in (*names, *segmental)}

    def _named(self, predicted_F: np.ndarray) -> np.ndarray:
        """Puts the label that each cluster is matched with in its place; other clusters keep their own."""
        clusters, codes = np.unique(predicted_F, return_inverse=True)
        _, truth = np.unique(self._labels_F[self._counted_F], return_inverse=True)
        pairs, both = np.unique(truth * len(clusters) + codes[self._counted_F], return_counts=True)
        rows, columns = np.divmod(pairs, len(clusters))
        shape = self.num_labels, len(clusters)
        # No label of an annotation is taken for the number of a cluster.
        names = np.array([f"\0{cluster}" for cluster in clusters], dtype=object)
        for pair in maximum_weight_matching(rows, columns, both.astype(np.float64), shape):
            names[columns[pair]] = self._labels[rows[pair]]
        return names.astype(str)[codes]


def measure_events_as_clusters(levels: Sequence[Sequence[Segment]], frames: AnnotatedFrames) -> Measures:
    """Scores every level with every event as a cluster of its own."""
    measured: dict[tuple[int | None, str], Measure] = {}
    for index, level in enumerate(levels):
        clusters = [(start, end, str(event)) for event, (start, end) in enumerate(level)]
        measured |= {(index, name): measure for name, measure in frames.measure(clusters).items()}
    return measured
