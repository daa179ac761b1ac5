"""Labels per frame, and their agreement after clusters have been matched with classes.

Predicted events carry no class names, so predicted labels are matched with annotated ones first, one to one,
so that most frames agree (the Hungarian method; per video, as Sarfraz et al., "Temporally-Weighted
Hierarchical Clustering for Unsupervised Action Segmentation", CVPR 2021, do).
"""

from dataclasses import dataclass

import numpy as np

from streamer.metrics.matching import maximum_weight_matching
from streamer.metrics.ratio import Ratio
from streamer.metrics.segments import Segments, check_positive, check_truth, tile

_GRID_TOLERANCE = 1e-6  # of a frame: a time this near to a frame's is that frame's


@dataclass(frozen=True)
class MatchedLabels:
    """Agreement of frame labels under the matching; each undefined where there is no frame.

    Attributes:
        frame_accuracy: frames whose label is matched with the annotated one, over frames.
        iou: intersection over union of every annotated label with its match (0 without one), summed, over
            the number of annotated labels.
        f1: F1 of every annotated label with its match, summed, over the number of labels (macro F1):
            annotated ones, and predicted ones for which no annotated one is left.
        classes: the annotated label of every predicted one that is matched.
    """

    frame_accuracy: Ratio
    iou: Ratio
    f1: Ratio
    classes: dict[str, str]


def frame_labels(segments: Segments, *, duration: float, frame_size: float, fill: str) -> np.ndarray:
    """Samples the labels of events at the times of frames.

    Frame k is at k * frame_size, as snippets are. Where events overlap, the one that started last gives its
    label (see `tile`).

    Args:
        segments: events in seconds, in any order. One without label has its place in the list as its label.
        duration: length of the video in seconds.
        frame_size: seconds per frame.
        fill: label of the frames in no event.

    Returns:
        Labels, strings, shape [F].

    Raises:
        TruthError: an event has impossible times.
        StreamerError: duration or frame_size is not a positive number.
    """
    check_positive("sampling of labels", duration=duration, frame_size=frame_size)
    check_truth(segments)
    tiling = tile(segments, duration)
    names = [segment[2] if len(segment) > 2 else str(place) for place, segment in enumerate(segments)]
    cuts = np.ceil(tiling.edges / frame_size - _GRID_TOLERANCE).astype(np.int64)
    return np.repeat(np.array([*names, fill])[tiling.owners], np.diff(cuts))


def matched_labels(predicted_F: np.ndarray, truth_F: np.ndarray) -> MatchedLabels:
    """Scores frame labels after matching predicted with annotated labels.

    Of the matchings under which most frames agree, the one with the largest sum of IoU is taken. Frames
    that are not to count are left out of both arrays beforehand.

    Args:
        predicted_F: predicted label of every frame, strings or numbers, shape [F].
        truth_F: annotated label of every frame, shape [F].

    Returns:
        Frame accuracy, IoU, macro F1, and the matching.
    """
    assert len(predicted_F) == len(truth_F), "one label per frame on either side"
    if not len(truth_F):
        return MatchedLabels(Ratio(0, 0), Ratio(0, 0), Ratio(0, 0), {})
    clusters, predicted, predicted_counts = np.unique(predicted_F, return_inverse=True, return_counts=True)
    labels, truth, truth_counts = np.unique(truth_F, return_inverse=True, return_counts=True)
    shape = len(truth_counts), len(predicted_counts)
    pairs, both = np.unique(truth.reshape(-1) * shape[1] + predicted.reshape(-1), return_counts=True)
    rows, columns = np.divmod(pairs, shape[1])
    either = truth_counts[rows] + predicted_counts[columns]
    iou = both / (either - both)
    # Added up over a matching, the second term stays below one frame.
    matched = maximum_weight_matching(rows, columns, both + iou / (min(shape) + 1), shape)
    return MatchedLabels(
        frame_accuracy=Ratio(float(both[matched].sum()), float(len(truth_F))),
        iou=Ratio(float(iou[matched].sum()), float(shape[0])),
        f1=Ratio(float((2 * both[matched] / either[matched]).sum()), float(max(shape))),
        classes=dict(zip(clusters[columns[matched]].tolist(), labels[rows[matched]].tolist(), strict=True)),
    )
