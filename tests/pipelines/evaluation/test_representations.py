"""Labels of predicted events, and their clusters by representation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation.labels import AnnotatedFrames
from pipelines.evaluation.representations import (
    cluster_events,
    event_labels,
    labelled_events,
    measure_clusters,
)

LEVEL = [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0)]


def labels(*truth, level=LEVEL, background=()):
    return event_labels(level, truth, background)


def test_event_has_the_label_that_covers_most_of_it():
    assert labels((0.0, 3.0, "a"), (3.0, 9.0, "b"), (9.0, 12.0, "c")) == ["a", "b", "c"]


def test_event_that_is_covered_by_half_has_the_label_and_by_less_has_none():
    assert labels((0.0, 2.0, "a"), (4.0, 5.9, "b")) == ["a", None, None]


def test_repeated_events_of_a_label_add_up_and_overlapping_ones_do_not():
    assert labels((0.0, 1.0, "a"), (2.0, 3.0, "a"))[0] == "a"
    assert labels((0.0, 1.5, "a"), (0.5, 1.5, "a"), (0.2, 1.0, "a"))[0] is None
    assert labels((0.0, 1.9, "a"), (0.0, 1.9, "a"), (1.0, 3.0, "b"))[0] == "b"


def test_background_and_empty_labels_are_none():
    truth = ((0.0, 4.0, "SIL"), (4.0, 8.0, ""), (8.0, 12.0, "a"))
    assert labels(*truth, background=["SIL"]) == [None, None, "a"]
    assert labels(*truth[:2], background=["SIL"]) == [None, None, None]


def test_first_annotated_of_two_equal_labels_wins():
    assert labels((2.0, 4.0, "b"), (0.0, 2.0, "a"))[0] == "b"


spans = st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from("abc"))


@given(st.lists(spans, max_size=8), st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_labels_are_those_that_counting_seconds_gives(given_spans, lengths):
    truth = [(float(start), float(start + length), name) for start, length, name in given_spans]
    edges = np.cumsum([0, *lengths])
    level = [(float(a), float(b)) for a, b in pairwise(edges)]
    for (start, end), label in zip(level, event_labels(level, truth, ()), strict=True):
        seconds = {
            name: sum(
                any(a <= second and second + 1 <= b for a, b, other in truth if other == name)
                for second in range(int(start), int(end))
            )
            for name in dict.fromkeys(name for _, _, name in truth)
        }
        most = max(seconds.values(), default=0)
        expected = max(seconds, key=lambda name: seconds[name]) if 2 * most >= end - start else None
        assert label == expected


def directions(*angles):
    radians = np.radians(angles)
    return np.column_stack([np.cos(radians), np.sin(radians)]).astype(np.float32)


def test_events_cluster_by_direction_whatever_their_length():
    vectors = directions(0, 90, 2, 91) * np.array([[1.0], [9.0], [100.0], [0.1]], dtype=np.float32)
    first, second, third, fourth = cluster_events(vectors, np.ones(4), 2, seed=0).tolist()
    assert first == third != second == fourth


def test_clusters_follow_from_the_seed():
    vectors = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
    one, again = (cluster_events(vectors, np.ones(60), 6, seed=3) for _ in range(2))
    assert one.tolist() == again.tolist()
    assert len(set(one.tolist())) == 6


def test_event_without_representation_is_a_cluster_of_its_own():
    vectors = directions(0, 90, 0)
    vectors[1] = np.nan
    first, unknown, third = cluster_events(vectors, np.ones(3), 1, seed=0).tolist()
    assert first == third != unknown


def test_fewer_directions_than_clusters(recwarn):
    assert len(set(cluster_events(directions(5, 5, 70), np.ones(3), 8, seed=0).tolist())) == 2
    assert set(cluster_events(np.zeros((2, 3), np.float32), np.ones(2), 2, seed=0).tolist()) == {0}
    assert not recwarn.list


def test_clusters_find_labels_that_return():
    level = [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0), (12.0, 16.0)]
    truth = [(start, end, "ab"[place % 2]) for place, (start, end) in enumerate(level)]
    frames = AnnotatedFrames(truth, duration=16.0, background=frozenset())
    unknown = np.full((1, 2), np.nan, np.float32)
    measures = measure_clusters([level, [(0.0, 16.0)]], [directions(0, 80, 3, 82), unknown], frames, 0)
    assert measures[0, "clustered_frame_accuracy"].value == 1
    assert measures[0, "clustered_edit"].value == 1
    assert np.isnan(measures[1, "clustered_frame_accuracy"].value)
    assert {name for _, name in measures} == {f"clustered_{name}" for name in frames.measure([])}


def test_events_without_label_or_representation_take_no_part():
    vectors = directions(0, 45, 90)
    vectors[2] = np.nan
    truth = [(0.0, 4.0, "a"), (8.0, 12.0, "b")]
    [events] = labelled_events("v", "scene", [LEVEL], [vectors], truth, ())
    assert (events.video_id, events.truth_level, events.level) == ("v", "scene", 0)
    assert events.labels == ["a"]
    assert events.vectors == pytest.approx(vectors[:1])
