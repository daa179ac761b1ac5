"""Retrieval and the kNN probe against their definitions, scikit-learn and torch."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from streamer.errors import StreamerError
from streamer.metrics import event_retrieval, knn_probe


def make(seed, count=40, labels=6, videos=4, dim=8):
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(count, dim)).astype(np.float32)
    names = np.array([f"label {n}" for n in generator.integers(labels, size=count)])
    return vectors, names, np.array([f"v{n}" for n in generator.integers(videos, size=count)])


def rankings(vectors, labels, videos):
    """Per event relevance and similarity of the events of other videos."""
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for query in range(len(vectors)):
        other = videos != videos[query]
        yield labels[query], labels[other], unit[other] @ unit[query]


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_retrieval_is_that_of_scikit_learn(seed):
    data = make(seed)
    precisions, hits = [], {1: [], 3: []}
    for label, others, similarity in rankings(*data):
        relevant = others == label
        if relevant.any():
            precisions.append(average_precision_score(relevant, similarity))
            for k, found in hits.items():
                found.append(relevant[np.argsort(-similarity)[:k]].any())
    result = event_retrieval(*data, ks=(1, 3))
    assert result.mean_average_precision == pytest.approx(np.mean(precisions), abs=1e-9)
    assert result.recall_at == {k: pytest.approx(np.mean(found)) for k, found in hits.items()}
    assert result.queries == len(precisions)
    assert result.queries + result.undefined == len(data[0])


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.sampled_from([1, 2, 5, 1000]))
def test_the_probe_is_the_vote_of_the_nearest(seed, k):
    data = make(seed)
    right = 0
    for label, others, similarity in rankings(*data):
        nearest = np.argsort(-similarity)[:k]
        votes = Counter(others[nearest].tolist())
        most = max(votes.values())
        right += next(name for name in others[nearest] if votes[name] == most) == label
    result = knn_probe(*data, k=k)
    assert (result.numerator, result.denominator) == (right, len(data[0]))


@given(st.integers(0, 2**32))
def test_the_order_of_events_and_the_length_of_vectors_do_not_matter(seed):
    vectors, labels, videos = make(seed)
    vectors = np.round(vectors)  # with many equal similarities
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    moved = vectors * 2.0 ** generator.integers(-60, 60, size=(len(labels), 1))
    other = moved[order], labels[order], videos[order]
    one, two = (event_retrieval(*data, ks=(1, 5)) for data in ((vectors, labels, videos), other))
    assert one.mean_average_precision == pytest.approx(two.mean_average_precision)
    assert one.recall_at == two.recall_at
    assert knn_probe(vectors, labels, videos, k=3) == knn_probe(*other, k=3)


def test_blocks_make_no_difference(monkeypatch):
    data = make(7)
    whole = event_retrieval(*data, ks=(1,)), knn_probe(*data, k=3)
    monkeypatch.setattr("streamer.metrics.representations._BLOCK", 100)
    assert (event_retrieval(*data, ks=(1,)), knn_probe(*data, k=3)) == whole


def test_events_of_the_same_video_are_left_out():
    vectors = np.array([[1, 0], [1, 0.01], [0, 1], [0.5, 1]])
    result = event_retrieval(vectors, ["a", "a", "b", "a"], ["x", "x", "y", "y"], ks=(1, 2))
    # a of x finds a of y first; b has no like elsewhere; a of y finds both a of x.
    assert (result.queries, result.undefined) == (3, 1)
    assert result.mean_average_precision == 1
    assert result.recall_at == {1: 1, 2: 1}


@pytest.mark.parametrize("videos", [["x"] * 3, ["x", "x", "y"]])
def test_where_no_label_occurs_in_two_videos_retrieval_is_undefined(videos):
    result = event_retrieval(np.eye(3), ["a", "a", "b"], videos, ks=(1,))
    assert math.isnan(result.mean_average_precision)
    assert math.isnan(result.recall_at[1])
    assert (result.queries, result.undefined) == (0, 3)


def test_no_event_at_all():
    empty = np.empty((0, 4))
    assert event_retrieval(empty, [], [], ks=(1,)).queries == 0
    assert math.isnan(knn_probe(empty, [], [], k=1).value)


def test_the_probe_of_one_video_is_undefined():
    assert math.isnan(knn_probe(np.eye(3), ["a", "a", "b"], ["x"] * 3, k=1).value)


def test_a_label_without_like_elsewhere_is_named_wrongly():
    result = knn_probe(np.eye(3), ["a", "a", "b"], ["x", "y", "y"], k=1)
    assert result.denominator == 3
    assert result.numerator <= 2


def test_a_tie_of_votes_goes_to_the_label_of_the_nearest():
    vectors = np.array([[1, 0], [1, 0.3], [1, 0.1], [1, 0.2], [1, 0.4]])
    labels, videos = ["b", "a", "b", "a", "b"], ["x", "y", "y", "y", "y"]
    assert knn_probe(vectors, labels, videos, k=2).numerator >= 1
    # Of the four others of the first event two say a and two b, and the nearest says b.
    only_first = knn_probe(vectors, ["b", *["a", "b", "a", "b"]], ["x", *["y"] * 4], k=4)
    assert only_first.numerator == 3  # the first, and both b of y, whose only neighbour it is


def test_collapsed_representations_know_nothing():
    generator = np.random.default_rng(0)
    labels, videos = generator.integers(5, size=300), generator.integers(10, size=300)
    vectors = np.tile(generator.normal(size=64).astype(np.float32), (300, 1))
    result = event_retrieval(vectors, labels, videos, ks=(1, 5))
    assert result.mean_average_precision == pytest.approx(0.2, abs=0.02)
    assert result.recall_at == {1: 0, 5: 0}
    assert knn_probe(vectors, labels, videos, k=1).value == pytest.approx(0.2, abs=0.1)


def test_equally_similar_relevant_events_do_not_delay_each_other():
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.1], [0, 1]])
    result = event_retrieval(vectors, ["a", "a", "a", "b"], ["x", "y", "y", "y"], ks=(1,))
    assert result.mean_average_precision == 1
    assert result.recall_at == {1: 1}
    # One of another label among them comes first.
    result = event_retrieval(vectors, ["a", "a", "b", "b"], ["x", "y", "y", "y"], ks=(1, 2))
    assert result.recall_at == {1: 0.5, 2: 1}


def test_a_vector_of_zeros_is_like_nothing():
    vectors = np.array([[1, 0], [0, 0], [-1, 0.1], [1, 0.1]], dtype=np.float32)
    result = event_retrieval(vectors, ["a", "b", "c", "a"], ["x", "y", "y", "y"], ks=(1,))
    assert result.recall_at[1] == 1


def test_impossible_input_is_refused():
    vectors = np.eye(3)
    vectors[1, 2] = np.nan
    with pytest.raises(StreamerError, match="representation 1 of 3"):
        event_retrieval(vectors, ["a"] * 3, ["x"] * 3, ks=(1,))
    with pytest.raises(StreamerError, match="k is 0"):
        event_retrieval(np.eye(3), ["a"] * 3, ["x"] * 3, ks=(0,))
    with pytest.raises(StreamerError, match="k is -1"):
        knn_probe(np.eye(3), ["a"] * 3, ["x"] * 3, k=-1)
