"""Frame labels and their agreement after matching, against recorded figures and scikit-learn."""

import json
import math
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score

from streamer.errors import StreamerError, TruthError
from streamer.metrics import frame_labels, matched_labels

RECORDED = json.loads((Path(__file__).parent / "vectors" / "std_metric_vectors.json").read_text())
CASES = RECORDED["label_cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_recorded_figures_are_reproduced(case):
    agreement = matched_labels(np.array(case["prediction"]), np.array(case["ground_truth"]))
    assert agreement.frame_accuracy.value == pytest.approx(case["hungarian_mof"], abs=1e-12)
    assert agreement.frame_accuracy.denominator == len(case["ground_truth"])
    assert agreement.iou.value == pytest.approx(case["hungarian_iou_over_n_gt_classes"], abs=1e-12)
    assert agreement.iou.numerator == pytest.approx(
        sum(case["hungarian_jaccard_per_class_union_of_labels"]), abs=1e-12
    )
    assert agreement.f1.value == pytest.approx(case["hungarian_f1_macro"], abs=1e-12)


frames = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), min_size=1, max_size=30)


@given(frames)
def test_the_matching_is_the_best_of_all(pairs):
    predicted, truth = (np.array(side) for side in zip(*pairs, strict=True))
    clusters = sorted(set(predicted))
    best = (-1.0, -1.0)
    classes = sorted(set(truth))
    # Clusters beyond the number of classes keep names of their own.
    names = classes + [f"none {n}" for n in range(max(0, len(clusters) - len(classes)))]
    for order in permutations(names, len(clusters)):
        renamed = np.array([dict(zip(clusters, order, strict=True))[label] for label in predicted])
        matching = sum((renamed == truth).tolist())
        iou = sum(jaccard_score(truth == name, renamed == name) for name in classes)
        best = max(best, (matching, iou))
    agreement = matched_labels(predicted, truth)
    assert agreement.frame_accuracy.numerator == best[0]
    assert agreement.iou.numerator == pytest.approx(best[1])


@given(st.permutations("wxyz"), st.lists(st.sampled_from("wxyz"), min_size=1, max_size=30))
def test_names_do_not_matter(names, truth):
    renamed = np.array([dict(zip("wxyz", names, strict=True))[label] for label in truth])
    agreement = matched_labels(renamed, np.array(truth))
    assert (agreement.frame_accuracy.value, agreement.iou.value, agreement.f1.value) == (1, 1, 1)


def test_f1_is_the_macro_f1_of_scikit_learn_over_all_labels():
    truth, predicted = np.array(list("aabbbcc")), np.array(list("xxxyyyz"))
    renamed = np.array([{"x": "a", "y": "b", "z": "c"}[label] for label in predicted])
    assert matched_labels(predicted, truth).f1.value == pytest.approx(
        f1_score(truth, renamed, average="macro")
    )


def test_without_frames_everything_is_undefined():
    agreement = matched_labels(np.array([]), np.array([]))
    assert all(math.isnan(part.value) for part in (agreement.frame_accuracy, agreement.iou, agreement.f1))


def test_thousands_of_events_against_thousands_of_labels():
    truth = np.repeat(np.arange(3000), 4)
    agreement = matched_labels(np.roll(truth, 1), truth)
    assert agreement.frame_accuracy.numerator == 9000


def test_frames_take_the_label_at_their_time():
    labels = frame_labels([(0.5, 1.2, "a"), (1.2, 2.0, "b")], duration=2.6, frame_size=0.5, fill="-")
    assert labels.tolist() == ["-", "a", "a", "b", "-", "-"]


def test_where_events_overlap_the_one_that_started_last_gives_its_label():
    labels = frame_labels([(0, 4, "a"), (1, 2, "b")], duration=4, frame_size=1, fill="-")
    assert labels.tolist() == ["a", "b", "a", "a"]


def test_events_without_label_are_numbered():
    assert frame_labels([(0, 1), (1, 3)], duration=3, frame_size=1, fill="-").tolist() == ["0", "1", "1"]


def test_labels_of_any_length_fit():
    long = "open the second drawer from the left"
    assert frame_labels([(0, 1, long)], duration=2, frame_size=1, fill="").tolist() == [long, ""]


@given(st.integers(1, 400), st.sampled_from([0.1, 0.5, 1 / 30, 0.04]))
def test_there_are_as_many_frames_as_fit(count, frame_size):
    duration = count * frame_size
    edges = [number * frame_size for number in range(count + 1)]
    level = [(start, end, "a") for start, end in pairwise(edges)]
    assert len(frame_labels(level, duration=duration, frame_size=frame_size, fill="-")) == count
    # Every event holds exactly one frame, whatever the rounding of its times.
    assert len(
        set(frame_labels([e[:2] for e in level], duration=duration, frame_size=frame_size, fill="-"))
    ) == (count)


def test_a_video_shorter_than_a_frame_has_one():
    assert frame_labels([(0, 0.01, "a")], duration=0.01, frame_size=0.5, fill="-").tolist() == ["a"]


def test_impossible_arguments_are_refused():
    with pytest.raises(StreamerError, match="frame_size is -1"):
        frame_labels([], duration=1, frame_size=-1, fill="-")
    with pytest.raises(TruthError, match="annotation 'a'"):
        frame_labels([(2, 1, "a")], duration=1, frame_size=1, fill="-")


def test_clusters_are_told_with_the_classes_that_they_are_matched_with():
    predicted, truth = np.array(list("xxyyyz")), np.array(list("aabbbb"))
    assert matched_labels(predicted, truth).classes == {"x": "a", "y": "b"}
    assert matched_labels(np.array([]), np.array([])).classes == {}
