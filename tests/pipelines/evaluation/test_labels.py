"""Labels of frames, with events or clusters matched with them."""

import math
from itertools import pairwise

import numpy as np
import pytest

from pipelines.evaluation.labels import AnnotatedFrames, measure_events_as_clusters

SEGMENTAL = ("edit", "segmental_f1@10", "segmental_f1@25", "segmental_f1@50")
FRAMES = ("frame_accuracy", "frame_iou", "frame_f1")
TRUTH = [(0.0, 4.0, "cut"), (4.0, 10.0, "peel"), (10.0, 20.0, "wash")]


def measured(clusters, truth=TRUTH, background=(), duration=20.0):
    frames = AnnotatedFrames(truth, duration=duration, background=frozenset(background))
    return {name: measure.value for name, measure in frames.measure(clusters).items()}


def clusters_of(truth):
    return [(start, end, f"of {label}") for start, end, label in truth]


def test_events_that_are_the_annotated_ones_score_one():
    assert measured(clusters_of(TRUTH)) == dict.fromkeys((*FRAMES, *SEGMENTAL), 1.0)


def test_one_cluster_is_matched_with_the_longest_label():
    scores = measured([(0.0, 20.0, "0")])
    assert scores["frame_accuracy"] == 0.5
    assert scores["frame_iou"] == pytest.approx(0.5 / 3)
    assert scores["edit"] == pytest.approx(1 / 3)
    assert scores["segmental_f1@50"] == 0.5
    assert scores["segmental_f1@10"] == 0.5


def test_events_beyond_the_labels_each_count_as_wrong():
    """Unmatched clusters must not melt into one run, or over-segmentation would cost nothing."""
    events = [(float(start), start + 1.0, str(start)) for start in range(20)]
    scores = measured(events)
    assert scores["frame_accuracy"] == pytest.approx(3 / 20)
    assert scores["edit"] == pytest.approx(3 / 20)
    assert scores["segmental_f1@10"] == pytest.approx(2 * 3 / 23)
    assert scores["segmental_f1@50"] == 0


def test_what_is_not_annotated_counts_for_no_frame():
    truth = [(0.0, 4.0, "cut"), (4.0, 8.0, ""), (10.0, 20.0, "wash")]
    scores = measured([(0.0, 4.0, "0"), (4.0, 10.0, "1"), (10.0, 20.0, "2")], truth)
    assert [scores[name] for name in FRAMES] == [1, 1, 1]
    assert scores["edit"] == pytest.approx(2 / 3)


def test_background_is_a_label_of_frames_and_no_action():
    truth = [(0.0, 4.0, "SIL"), (4.0, 10.0, "peel"), (10.0, 20.0, "SIL")]
    perfect = [(0.0, 4.0, "0"), (4.0, 10.0, "1"), (10.0, 20.0, "0")]
    assert set(measured(perfect, truth, ["SIL"]).values()) == {1.0}
    events = [(0.0, 4.0, "0"), (4.0, 10.0, "1"), (10.0, 20.0, "2")]
    scores = measured(events, truth, ["SIL"])
    assert scores["frame_accuracy"] == pytest.approx(16 / 20)
    assert scores["edit"] == pytest.approx(1 / 2)
    assert scores["edit"] < measured(events, truth)["edit"]


@pytest.mark.parametrize(
    ("truth", "undefined"),
    [
        ([], (*FRAMES, *SEGMENTAL)),
        ([(0.0, 9.0, "")], (*FRAMES, *SEGMENTAL)),
        ([(0.0, 9.0, "SIL")], SEGMENTAL),
    ],
)
def test_without_labels_scores_are_undefined(truth, undefined):
    scores = measured([(0.0, 20.0, "0")], truth, ["SIL"])
    assert {name for name, value in scores.items() if math.isnan(value)} == set(undefined)


def test_labels_that_look_like_clusters_are_not_taken_for_them():
    truth = [(0.0, 1.0, "cluster 1"), (1.0, 10.0, "0"), (10.0, 20.0, "1")]
    events = [(0.0, 10.0, "0"), (10.0, 20.0, "1")]
    plain = [(start, end, name) for (start, end, _), name in zip(truth, "abc", strict=True)]
    assert measured(events, truth) == measured(events, plain)


def test_order_and_names_of_clusters_do_not_matter():
    rng = np.random.default_rng(0)
    cuts = [0.0, *np.sort(rng.uniform(0, 20, 12)).tolist(), 20.0]
    names = rng.integers(0, 4, len(cuts) - 1)
    events = [(a, b, str(n)) for (a, b), n in zip(pairwise(cuts), names, strict=True)]
    renamed = [(a, b, str(9 - int(n))) for a, b, n in events]
    assert measured(renamed) == pytest.approx(measured(events))


def test_every_level_is_scored_with_its_events_as_clusters():
    frames = AnnotatedFrames(TRUTH, duration=20.0, background=frozenset())
    measures = measure_events_as_clusters([[(0.0, 4.0), (4.0, 10.0), (10.0, 20.0)], [(0.0, 20.0)]], frames)
    assert measures[0, "frame_accuracy"].value == 1
    assert measures[1, "frame_accuracy"].value == 0.5
    assert (measures[1, "frame_accuracy"].numerator, measures[1, "frame_accuracy"].denominator) == (100, 200)
