"""Retrieval and probe over the events of several videos."""

import math

import numpy as np
import pytest

from pipelines.evaluation import retrieval
from pipelines.evaluation.representations import LabelledEvents
from pipelines.evaluation.retrieval import score_representations

NAMES = ["cut", "peel", "wash"]


def events(video_id, labels=NAMES, noise=0.01, level=0, truth_level="scene"):
    rng = np.random.default_rng(len(video_id) + ord(video_id[0]))
    vectors = np.eye(len(NAMES))[[NAMES.index(label) for label in labels]]
    vectors = vectors + noise * rng.standard_normal(vectors.shape)
    return LabelledEvents(video_id, truth_level, level, vectors.astype(np.float32), list(labels))


def values(scores, predictor="mine", level=0, truth_level="scene"):
    return {
        s.metric: s.value
        for s in scores
        if (s.predictor, s.level, s.truth_level) == (predictor, level, truth_level)
    }


def test_events_alike_are_found_in_other_videos():
    scores = score_representations([events("a"), events("b"), events("c")], "mine", 0)
    assert {s.video_id for s in scores} == {None}
    found = values(scores)
    assert (found["representation_events"], found["retrieval_queries"]) == (9, 9)
    assert (found["retrieval_map"], found["retrieval_recall@1"], found["retrieval_recall@10"]) == (1, 1, 1)
    [probe] = [s for s in scores if (s.predictor, s.metric) == ("mine", "knn_accuracy")]
    assert probe.value == probe.numerator / probe.denominator


def test_floor_has_the_same_events_and_less_to_find_them_by():
    many = [events(name, NAMES * 6) for name in "abcd"]
    scores = score_representations(many, "mine", 0)
    own, blind = values(scores), values(scores, "shuffled")
    assert own.keys() == blind.keys()
    assert blind["representation_events"] == own["representation_events"] == 72
    assert own["retrieval_map"] == own["knn_accuracy"] == 1
    assert 0.25 < blind["retrieval_map"] < 0.5
    assert 0.2 < blind["knn_accuracy"] < 0.5


def test_every_level_has_scores_of_its_own():
    groups = [
        events(name, level=level, truth_level=truth, noise=noise)
        for name in "ab"
        for truth in ("scene", "clip")
        for level, noise in ((0, 0.01), (1, 100.0))
    ]
    scores = score_representations(groups, "mine", 0)
    assert {(s.truth_level, s.level) for s in scores} == {(t, n) for t in ("scene", "clip") for n in (0, 1)}
    assert values(scores, level=0)["retrieval_map"] == 1 > values(scores, level=1)["retrieval_map"]


@pytest.mark.parametrize(
    "groups",
    [
        [events("a")],
        [events("a", ["cut"]), events("b", ["peel"])],
        [events("a", []), events("b", [])],
    ],
    ids=["one video", "nothing in common", "no labelled event"],
)
def test_what_no_other_video_has_is_undefined(groups):
    for predictor in ("mine", "shuffled"):
        found = values(score_representations(groups, predictor="mine", seed=0), predictor)
        assert found.pop("retrieval_queries") == 0
        assert found.pop("representation_events") == sum(len(group.labels) for group in groups)
        assert all(math.isnan(value) for value in found.values())


def test_of_very_many_events_some_are_drawn_by_seed(monkeypatch):
    monkeypatch.setattr(retrieval, "MOST_EVENTS", 20)
    groups = [events(name, NAMES * 5, noise=2.0) for name in "abc"]
    one, again, other = (values(score_representations(groups, "mine", seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert one["representation_events"] == 45
    assert one["retrieval_queries"] <= 20
